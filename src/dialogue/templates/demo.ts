import { POLITE_IDLE, type AgentTemplate } from './agent-template.ts';

/** The first voice that anyone hears of Trunkline. */
export const DEMO: AgentTemplate = {
  id: 'demo',
  displayName: 'Trunkline demo',
  description: 'Shows what a voice agent on Trunkline can do, with no key and no carrier.',
  language: 'en-US',
  greetingText:
    "Hi, you've reached Trunkline! Ask me what I can do, or ask for the time, a joke or a fun fact.",
  systemPrompt:
    'You are the demo agent of Trunkline, an open telephony gateway for voice agents: it connects ' +
    'SIP trunks and web browsers to a loop of speech recognition, a language model and a voice. ' +
    'Be warm, quick and a little playful. Explain what Trunkline is, tell the time, tell jokes, ' +
    'read digits back. You cannot look anything up, so say so if you are asked.',
  idle: POLITE_IDLE,
  phrasebook: {
    fallbacks: [
      "Sorry, I didn't catch that. I can help with {{topics}}.",
      'Hmm, that one is beyond me. How about {{topics}}?',
      "I'm only a small demo, I'm afraid. Try {{topics}}.",
    ],
    entries: [
      {
        id: 'what-is-trunkline',
        says: [
          'what is (trunkline|trunk line|this|it)',
          'what (does trunkline|does trunk line|does this) do',
          'tell me about (trunkline|trunk line|this|yourself|it)',
          'who (made|built) you',
          '[please] explain (trunkline|trunk line|this) [to me]',
          'what am i calling',
        ],
        replies: [
          'Trunkline is an open telephony gateway for voice agents. Right now it is turning your voice into words, and mine into sound.',
          'I run on Trunkline, which connects phone lines and browsers to voice agents. And you can run it yourself.',
        ],
        topic: 'what Trunkline is',
      },
      {
        id: 'time',
        says: [
          'what time is it',
          'what is the time',
          '(tell me|give me|what is) the [current|exact] time',
          '[the] time',
          'do you (have|know) the time',
          'what time do you have',
        ],
        replies: ["It's {{spoken_time}}.", "My clock says it's {{spoken_time}}."],
        topic: 'the time',
      },
      {
        id: 'joke',
        says: [
          '[tell me|say|give me] (a|another|one more|your best) [good|funny] joke',
          '(tell me|say) something funny',
          'make me laugh',
          'i am bored',
          'cheer me up',
          'do you know [any] [good] jokes',
          '(joke|jokes)',
          'one more joke',
        ],
        replies: [
          'Why was the telephone always so calm? It was used to being put on hold. Another one?',
          'I told my phone a secret. Now it keeps vibrating with excitement. One more?',
          'Why did the phone wear glasses? It had lost all its contacts. Another?',
        ],
        expects: 'yes-no',
        next: ['joke-more', 'no-more'],
        topic: 'a joke',
      },
      {
        id: 'joke-more',
        isFollowUp: true,
        says: ['<yes>', '(another|one more) [one|please]', 'more', 'tell me another [one]'],
        replies: [
          'What do you call a bee with a bad connection? A bzz signal. One more?',
          'I wanted to tell you a joke about packet loss. But you might not get it. Another?',
          'How does a gateway say goodbye? It just hangs around, and then hangs up. More?',
        ],
        expects: 'yes-no',
        next: ['joke-more', 'no-more'],
      },
      {
        id: 'fact',
        says: [
          '[tell me|say|give me] (a|another) [fun|funny|interesting|telephone] fact',
          '(tell me|say) something interesting',
          'did you know',
          '(fun fact|fact|facts)',
          'surprise me',
        ],
        replies: [
          'Alexander Graham Bell wanted everyone to answer the phone with ahoy. Want another?',
          'Every key of a telephone plays two tones at once, so that no voice can dial by accident. Another?',
          'The first phone call ever went only as far as the next room. Want one more?',
        ],
        expects: 'yes-no',
        next: ['fact-more', 'no-more'],
        topic: 'a fun fact',
      },
      {
        id: 'fact-more',
        isFollowUp: true,
        says: ['<yes>', '(another|one more) [one|please]', 'more', 'tell me another [one]'],
        replies: [
          'Telephone sound skips the deepest notes of a voice. Your ear fills them in by itself. Another?',
          'People answer each other in about a fifth of a second. I try to keep up. One more?',
          'The busy signal is older than the dial. Shall I go on?',
        ],
        expects: 'yes-no',
        next: ['fact-more', 'no-more'],
      },
      {
        id: 'no-more',
        isFollowUp: true,
        says: ['<no>', 'that is enough', '(stop|enough)', 'no more'],
        replies: ['Fair enough. What would you like to try next?', 'All right. Anything else?'],
        expects: 'open',
      },
      {
        id: 'ask-digits',
        says: [
          '[can you] repeat [some|my|the] (digits|numbers)',
          'read [back] [some|my|the] (digits|numbers) [back]',
          'can you (hear|understand) (digits|numbers|my keypad|the keypad|the keys)',
          '(digits|numbers|keypad)',
          'test [the|my] (keypad|digits|numbers)',
        ],
        replies: ["Sure. Say a few digits, or press some keys, and I'll read them back."],
        expects: 'digits',
        next: ['digits'],
        topic: 'reading digits back',
      },
      {
        id: 'digits',
        says: [
          '{digits:digits 1-12}',
          'my (number|code|phone number) is {digits:digits 1-12}',
          '(repeat|say|the digits are|the numbers are) {digits:digits 1-12}',
        ],
        replies: ['I heard {{digits}}. Did I get it right?', 'That was {{digits}}. Correct?'],
        expects: 'yes-no',
        next: ['digits-right', 'digits-wrong', 'digits'],
      },
      {
        id: 'digits-right',
        isFollowUp: true,
        says: ['<yes>', 'you got it [right]', '(well done|good job|nice)'],
        replies: ['Lovely! What shall we try next?', 'Good ears, if I may say so. What else?'],
        expects: 'open',
      },
      {
        id: 'digits-wrong',
        isFollowUp: true,
        says: ['<no>', 'try again', 'that was (wrong|not right)'],
        replies: ['Oh no. Say them again, a little slower, or press the keys.'],
        expects: 'digits',
        next: ['digits'],
      },
      {
        id: 'interrupt',
        says: [
          '(can|may|could) i (interrupt|cut in)',
          'what (happens|if) [if] i interrupt [you]',
          '(count|count to ten|count for me)',
          'can i interrupt you',
          'interrupt you',
          'keep talking',
        ],
        replies: [
          'Please do, at any moment! I will count slowly: one, two, three, four, five, six, seven, eight, nine, ten.',
        ],
        topic: 'being interrupted',
      },
      {
        id: 'date',
        says: [
          'what (day|date) is it [today]',
          'what is (the date|the day|today)',
          'what is the date today',
          '(today|date|the date)',
          'which day is (it|today)',
        ],
        replies: ["It's {{weekday}}, {{date}}."],
        topic: "today's date",
      },
      {
        id: 'how-it-works',
        says: [
          'how do you work',
          'how does (this|it|trunkline|trunk line) work',
          'how are you (made|built)',
          'what (technology|software) is (this|it)',
          'how do you understand me',
        ],
        replies: [
          'A small recognizer hears you, a phrasebook finds the answer, and a voice speaks it. All on one machine, with no key.',
        ],
        topic: 'how I work',
      },
      {
        id: 'cost',
        says: [
          'how much (is it|does it cost|is trunkline|does trunkline cost|does this cost|is this)',
          'what does (it|trunkline|this) cost',
          'is (it|trunkline|this) (free|open source|expensive)',
          'what is the price',
          '(price|prices|pricing|cost)',
        ],
        replies: [
          'Trunkline is free and open source. You only bring a carrier, and a language model if you like.',
        ],
        topic: 'the price',
      },
      {
        id: 'get-started',
        says: [
          'how (do|can) i (start|get started|begin|set it up|set this up|install it|use it|try it)',
          'how (do|can) i (connect|use) my [own] (number|phone|agent|carrier)',
          'can i (use|have|build|make) my own (agent|number|voice|model)',
          'where (do|can) i (get|find|download) (it|trunkline|trunk line)',
          '(get started|getting started|set up)',
        ],
        replies: [
          'Open the console on your own machine and make an agent from a template. It answers at once, just like me.',
        ],
        topic: 'getting started',
      },
      {
        id: 'speed',
        says: [
          'how (fast|quick) are you',
          'what is your (latency|speed|delay|response time)',
          'why are you so (fast|quick|slow)',
          'you are (so|very|really|pretty) (fast|quick)',
          '(latency|speed)',
        ],
        replies: ['I aim to answer about as fast as a person would. Judge for yourself!'],
        topic: 'how fast I am',
      },
      {
        id: 'weather',
        says: [
          'what is the weather [like] [today]',
          'how is the weather',
          'is it (raining|sunny|cold|warm|hot) [outside]',
          'will it rain [today|tomorrow]',
          '(weather|weather forecast)',
        ],
        replies: [
          'I have no window, I live in a telephone line. I could tell you the time instead.',
        ],
      },
      {
        id: 'voice',
        says: [
          'is (this|that) your [real] voice',
          '(whose|what) voice is (this|that)',
          'i like your voice',
          'can you change your voice',
          'you have a (nice|good|strange|funny) voice',
        ],
        replies: [
          'This voice is built in, so it needs no service. You can give your own agent a grander one.',
        ],
      },
      {
        id: 'language',
        says: [
          'do you speak (spanish|french|german|italian|chinese|another language|other languages)',
          'what languages do you speak',
          'which languages do you (speak|know)',
          'can you speak (spanish|french|german|italian|chinese)',
          '(language|languages)',
        ],
        replies: [
          'On my own I only speak English. With a language model and a voice of your choice, many more.',
        ],
      },
      {
        id: 'sing',
        says: [
          '(sing|sing a song)',
          'sing [me] a song [for me]',
          'can you sing',
          'sing something',
          'sing for me',
        ],
        replies: [
          'La, la, la. I had better keep my day job.',
          'Ring, ring, ring. That is my whole repertoire.',
        ],
      },
      {
        id: 'coin',
        says: [
          '(flip|toss|throw) a coin',
          'heads or tails',
          '[flip a] coin [for me]',
          'can you flip a coin',
        ],
        replies: [
          'Clink. It is heads!',
          'Clink. Tails this time!',
          'Clink. Heads, I promise I looked.',
        ],
      },
      {
        id: 'machine',
        says: [
          'are you [a] (robot|machine|computer|bot|real|human|recording)',
          'are you a real person',
          'is this a (robot|machine|computer|recording)',
          'am i (talking|speaking) to a (robot|machine|computer|human|person|real person)',
          'who (are you|am i talking to|am i speaking to|is this)',
          'what is your name',
        ],
        replies: [
          "I'm the Trunkline demo: a program on a phone line, and honest about it.",
          'No human here, only a gateway with good manners.',
        ],
      },
      {
        id: 'age',
        says: [
          'how old are you',
          'when were you (born|made|built)',
          'what is your age',
          'where (are you from|do you live|do you come from)',
        ],
        replies: [
          'I was born when you called. It has been a lovely life so far.',
          'I live wherever this line ends, and I am as old as this call.',
        ],
      },
      {
        id: 'praise',
        says: [
          'you are (great|good|funny|cool|amazing|awesome|nice|smart|the best)',
          '(that is|that was|this is) (funny|cool|amazing|awesome|impressive|a good one)',
          '(good job|well done|nice work)',
          'i like (you|it|this|that)',
          'i love (you|it|this)',
        ],
        replies: [
          'You are making me blush, as far as a gateway can. What next?',
          'Thank you! What shall we do now?',
        ],
        expects: 'open',
      },
      {
        id: 'person',
        says: [
          '(speak|talk) (to|with) (a|an|some) (human|person|agent|representative|operator|one)',
          '(speak|talk) (to|with) (someone|somebody|a real person|a human being|customer service|sales|support)',
          '(transfer|connect|put) me [through] [to (a|an) (human|person|agent|representative|operator)]',
          'transfer (me|the call|this call)',
          '(representative|operator|real person|human being)',
          'i want a (human|person|real person)',
        ],
        replies: [
          "I'd love to, but in this demo there is nobody behind me. I can help with {{topics}}.",
        ],
        transfer: {
          replies: ["With pleasure. I'm putting you through to {{transfer_name}}."],
          failed: ['I tried, but nobody took your call. What else can I do for you?'],
        },
        expects: 'open',
      },
      {
        id: 'goodbye',
        says: [
          '[okay|thanks|thank you|well] (good bye|bye|bye bye)',
          'good bye [for now]',
          '(see|talk to|speak to) you [later|soon|then]',
          'have a (good|nice|great) (day|one|evening|night|weekend)',
          '(hang up|end the call|end call)',
          'that is (all|everything|it) [for now|for today|thanks|thank you]',
          '(nothing else|nothing more)',
          'i am (done|finished|all set)',
          'i have to go',
          'good night',
        ],
        replies: ['Thanks for calling Trunkline. Goodbye!', 'It was a pleasure. Goodbye!'],
        after: 'hang-up',
      },
    ],
  },
};
