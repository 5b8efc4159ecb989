import { POLITE_IDLE, type AgentTemplate } from './agent-template.ts';

const SIZE = '{size:small|medium|large|extra large}';
const KIND = '{kind:cheese|pepperoni|mushroom|vegetable|ham|chicken|hawaiian}';
const COUNT = '{count:number 1-20}';

export const PIZZA_ORDER: AgentTemplate = {
  id: 'pizza-order',
  displayName: 'Pizza order',
  description: 'Takes an order for a pizza: kind, size, drink, delivery, and reads it back.',
  language: 'en-US',
  greetingText: 'Hi, {{company|the pizza line}} here! What pizza would you like?',
  systemPrompt:
    'You take orders at {{company|a pizza place}}. Pizzas: cheese, pepperoni, mushroom, vegetable, ' +
    'ham, chicken, hawaiian; small, medium, large, extra large. Drinks: cola, lemonade, water. ' +
    'Find out kind, size, drink, and pickup or delivery, one at a time, then read the order back. ' +
    'You cannot take payment: it is paid at the door or the counter.',
  idle: POLITE_IDLE,
  phrasebook: {
    opening: 'new-order',
    fallbacks: [
      "Sorry, I didn't get that. I can help with {{topics}}.",
      'Please say a kind and a size, like a large mushroom pizza.',
    ],
    entries: [
      {
        id: 'new-order',
        says: [
          '(order|i want to order) [a|some] (pizza|pizzas)',
          'i (want|would like) (to order|a pizza|pizza|some pizza)',
          '(can|could) i (order|get|have) [a] (pizza|pizzas)',
          '[a|some] (pizza|pizzas)',
          '(order|start over|new order)',
        ],
        digits: '1',
        replies: ['Great. Which kind, and what size?'],
        expects: 'open',
        next: ['pizza', 'kind', 'size'],
        topic: 'ordering a pizza',
      },
      {
        id: 'pizza',
        says: [
          `[a|one] ${SIZE} ${KIND} [pizza]`,
          `[a|one] ${KIND} [pizza] ${SIZE}`,
          `${COUNT} ${SIZE} ${KIND} [pizza|pizzas]`,
          `(i want|i would like|give me|i will have) [a] ${SIZE} ${KIND} [pizza]`,
          `[a] ${SIZE} pizza with ${KIND}`,
        ],
        replies: ['A {{size}} {{kind}}, good choice. Something to drink?'],
        expects: 'yes-no',
        next: ['drink', 'drink-yes', 'drink-no', 'size', 'kind'],
      },
      {
        id: 'kind',
        says: [
          `[a|one|the] ${KIND} [pizza|one|please]`,
          `${COUNT} ${KIND} [pizza|pizzas]`,
          `(with|make it|i want|i would like) [a] ${KIND} [pizza]`,
        ],
        replies: ['{{kind}}, lovely. What size: small, medium, large or extra large?'],
        expects: 'open',
        next: ['size', 'pizza'],
      },
      {
        id: 'size',
        says: [
          `[a|the] ${SIZE} [one|pizza|please]`,
          `(make it|make that) [a] ${SIZE} [one]`,
          `i (want|would like) [a|the] ${SIZE} [one|pizza]`,
        ],
        replies: [
          '{{size}} {{kind}}, got it. Something to drink?',
          'A {{size}} one. And which kind of pizza?',
        ],
        expects: 'yes-no',
        next: ['drink', 'drink-yes', 'drink-no', 'pizza', 'kind'],
      },
      {
        id: 'drink',
        says: [
          '[a|some|one] {drink:cola|lemonade|water}',
          '(and|with) [a|some] {drink:cola|lemonade|water}',
          '[yes] (i want|i would like|i will have) [a|some] {drink:cola|lemonade|water}',
        ],
        replies: ['{{drink}}, sure. Is it pickup or delivery?'],
        expects: 'open',
        next: ['delivery', 'pickup'],
      },
      {
        id: 'drink-yes',
        isFollowUp: true,
        says: ['<yes>', 'what do you have', 'which drinks (are there|do you have)'],
        replies: ['We have cola, lemonade and water. Which one?'],
        expects: 'open',
        next: ['drink', 'drink-no'],
      },
      {
        id: 'drink-no',
        isFollowUp: true,
        says: ['<no>', 'nothing to drink', 'just the pizza', 'no drink', 'that is all'],
        replies: ['All right. Is it pickup or delivery?'],
        expects: 'open',
        next: ['delivery', 'pickup'],
      },
      {
        id: 'delivery',
        says: [
          '[for] delivery [please]',
          '(deliver it|bring it) [to me|please]',
          '(can|could) you deliver [it]',
          'do you deliver',
          'i would like it delivered',
        ],
        replies: ['We deliver. What number can the driver call?'],
        expects: 'digits',
        next: ['phone'],
        topic: 'delivery',
      },
      {
        id: 'pickup',
        says: [
          '[for] (pick up|pickup|takeout|take out)',
          'i will (pick it up|come by|get it|come and get it)',
          '(to go|take away)',
          'can i pick it up',
        ],
        replies: ['Pickup it is. What number can we call when it is ready?'],
        expects: 'digits',
        next: ['phone'],
      },
      {
        id: 'phone',
        isFollowUp: true,
        says: [
          '{phone:digits 4-15}',
          '[my|the] number is {phone:digits 4-15}',
          '(it is|call me at|call) {phone:digits 4-15}',
        ],
        replies: [
          "So that's a {{size}} {{kind}} with {{drink}}, and we call {{phone}}. Is that right?",
          "So that's a {{size}} {{kind}}, and we call {{phone}}. Is that right?",
          'I will call {{phone}}. Is that right?',
        ],
        expects: 'yes-no',
        next: ['confirmed', 'wrong'],
      },
      {
        id: 'confirmed',
        isFollowUp: true,
        says: ['<yes>', 'that is it', 'that is right', 'sounds perfect'],
        replies: ['Wonderful, we are on it. Enjoy your pizza, goodbye!'],
        after: 'hang-up',
      },
      {
        id: 'wrong',
        isFollowUp: true,
        says: ['<no>', 'change (it|the order|something)', 'that is not what i (want|said)'],
        replies: ['Let us fix it. Which pizza would you like, and what size?'],
        expects: 'open',
        next: ['pizza', 'kind', 'size'],
      },
      {
        id: 'menu',
        says: [
          'what (pizzas|kinds|kinds of pizza|toppings) (do you have|are there)',
          'what is on the menu',
          'what do you have',
          '(the menu|menu|toppings)',
          'what can i (get|order|have)',
        ],
        digits: '2',
        replies: ['Cheese, pepperoni, mushroom, vegetable, ham, chicken and hawaiian. Which one?'],
        expects: 'open',
        next: ['pizza', 'kind', 'size'],
        topic: 'the menu',
      },
      {
        id: 'prices',
        says: [
          'how much (is it|is a pizza|does it cost|are they|is that|is a large [pizza])',
          'what does it cost',
          'what are the prices',
          '(price|prices|cost)',
          'how much do i (pay|owe [you])',
        ],
        replies: ['{{prices|It depends on size and kind}}. You pay at the door or the counter.'],
        topic: 'prices',
      },
      {
        id: 'wait-time',
        says: [
          'how long (does it take|will it take|will it be|do i wait|is the wait)',
          'when (will it be|is it) ready',
          'when will it (arrive|come|be here)',
          'how long is the wait',
        ],
        replies: ['Usually about {{wait|thirty minutes}}.'],
        topic: 'the waiting time',
      },
      {
        id: 'special',
        says: [
          'do you have (gluten free|vegan|vegetarian) [pizza|options]',
          'is there (anything|something) (vegetarian|vegan)',
          '(gluten free|vegan|vegetarian)',
          'i have an allergy',
          'i am allergic [to (nuts|milk|cheese)]',
        ],
        replies: [
          'The vegetable pizza has no meat. For allergies, please ask our staff at the counter.',
        ],
      },
    ],
  },
};
