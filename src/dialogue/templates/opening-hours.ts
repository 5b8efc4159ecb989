import { POLITE_IDLE, type AgentTemplate } from './agent-template.ts';

export const OPENING_HOURS: AgentTemplate = {
  id: 'opening-hours',
  displayName: 'Opening hours line',
  description: 'Tells when and where a shop is open, day by day, and what else callers ask.',
  language: 'en-US',
  greetingText:
    'Welcome to {{company|our shop}}. Ask me about opening hours, the address or anything else.',
  systemPrompt:
    'You answer the information line of {{company|a shop}}. Weekdays: {{weekday_hours|nine to six}}. ' +
    'Saturday: {{saturday_hours|ten to four}}. Sunday: {{sunday_hours|closed}}. ' +
    'Address: {{address|on the main street}}. Only tell what stands here; else say that you do not know.',
  idle: POLITE_IDLE,
  phrasebook: {
    fallbacks: [
      "I'm sorry, I only know a few things. I can help with {{topics}}.",
      'I did not understand. You can ask about {{topics}}.',
    ],
    entries: [
      {
        id: 'hours',
        says: [
          'what are your [opening|business|store] hours',
          'when (do you|are you) (open|close|closed)',
          'what time do you (open|close)',
          '(opening hours|opening times|hours)',
          'how (late|long) are you open',
          'when (does|is) the (shop|store) (open|close)',
        ],
        digits: '1',
        replies: [
          'On weekdays {{weekday_hours|from nine to six}}, and on Saturdays {{saturday_hours|from ten to four}}.',
        ],
        topic: 'opening hours',
      },
      {
        id: 'today',
        says: [
          'are you open (today|now|right now|this afternoon|this morning|tonight)',
          '(when|until when|how long) are you open (today|tonight)',
          'what time do you close (today|tonight)',
          'hours today',
        ],
        replies: [
          'Today is {{weekday}}. On weekdays we are open {{weekday_hours|from nine to six}}.',
        ],
        topic: 'today',
      },
      {
        id: 'saturday',
        says: [
          'are you open on (saturday|saturdays|the weekend|weekends)',
          'what (are your|about the) hours on (saturday|saturdays|weekends)',
          '[what about] (saturday|saturdays|weekends|the weekend)',
          'when are you open on (saturday|saturdays)',
        ],
        replies: ['On Saturdays we are open {{saturday_hours|from ten to four}}.'],
        topic: 'the weekend',
      },
      {
        id: 'sunday',
        says: [
          'are you open on (sunday|sundays)',
          '[what about] (sunday|sundays)',
          'when are you open on (sunday|sundays)',
          'do you open on (sunday|sundays)',
        ],
        replies: ['On Sundays we are {{sunday_hours|closed}}.'],
      },
      {
        id: 'weekday',
        says: [
          'are you open on (monday|tuesday|wednesday|thursday|friday|weekdays)',
          '[what about] (monday|tuesday|wednesday|thursday|friday|weekdays)',
          'are you open tomorrow',
          'when are you open on (monday|tuesday|wednesday|thursday|friday)',
        ],
        replies: ['On weekdays we are open {{weekday_hours|from nine to six}}.'],
      },
      {
        id: 'holidays',
        says: [
          'are you open on (holidays|christmas|easter|new year|thanksgiving)',
          'what about (holidays|christmas|easter|thanksgiving)',
          'are you closed on (holidays|christmas|thanksgiving)',
          '(holidays|holiday hours|christmas)',
        ],
        replies: ['On public holidays we are {{holiday_hours|closed}}.'],
        topic: 'holidays',
      },
      {
        id: 'address',
        says: [
          'where are you [located]',
          'what is (your|the) address',
          '(where is|how do i get to|how do i find) (the shop|the store|your shop|you)',
          '(directions|address|location)',
          'can you give me directions',
        ],
        digits: '2',
        replies: ['You find us {{address|on the main street}}.'],
        topic: 'the address',
      },
      {
        id: 'parking',
        says: [
          'is there [any] parking',
          'where (can|do) i park',
          'do you have [a] (parking|parking lot|parking space)',
          'parking',
        ],
        replies: ['{{parking|There is parking close by}}.'],
        topic: 'parking',
      },
      {
        id: 'transit',
        says: [
          'how do i get there by (bus|train|subway)',
          'is there a (bus|train|subway|station|bus stop) [nearby]',
          'which (bus|train|line) (goes there|do i take)',
          '(public transport|bus|train|subway)',
        ],
        replies: ['{{transit|The next bus stop is a short walk away}}.'],
      },
      {
        id: 'phone',
        says: [
          'what is your [phone|telephone] number',
          'how (can|do) i (reach|contact) (you|someone|the shop)',
          'do you have a phone number',
          '(phone number|contact)',
        ],
        replies: ['You have reached it. For anything else, {{email|please use our website}}.'],
      },
      {
        id: 'payment',
        says: [
          '(can|do) (i|you) (pay by card|take cards|accept cards|take credit cards|pay with a card)',
          'do you (take|accept) (cash|checks|credit cards|cards)',
          'how can i pay',
          '(payment|credit card|cash)',
        ],
        replies: ['We take {{payment|cash and all common cards}}.'],
        topic: 'payment',
      },
      {
        id: 'returns',
        says: [
          '(can i|how do i) (return|exchange) (something|it|an item)',
          'i want to (return|exchange) (something|it|an item)',
          'what is your return policy',
          '(return|returns|refund|exchange)',
          'can i get (a refund|my money back)',
        ],
        replies: ['{{returns|You can bring things back within fourteen days, with the receipt}}.'],
        topic: 'returns',
      },
      {
        id: 'access',
        says: [
          '(are you|is it|is the shop|is the store) wheelchair accessible',
          '(is there|do you have) (an elevator|a ramp|step free access)',
          'can i (come|get in) with a wheelchair',
          '(wheelchair|accessible)',
        ],
        replies: ['{{access|Yes, the entrance is step free}}.'],
      },
      {
        id: 'dogs',
        says: [
          '(can i|may i) bring my (dog|pet)',
          'are (dogs|pets) allowed',
          'do you allow (dogs|pets)',
          '(dogs|pets)',
        ],
        replies: ['{{dogs|Well behaved dogs are welcome}}.'],
      },
    ],
  },
};
