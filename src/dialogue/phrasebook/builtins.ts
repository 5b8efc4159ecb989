import type { PhrasebookEntry } from '../../model/agent.ts';

/**
 * What every phrasebook understands. An entry of the book with the same id takes its place.
 * `{{topics}}` is a spoken list of what the book offers.
 */
export const BUILT_IN_ENTRIES: readonly PhrasebookEntry[] = [
  {
    id: 'repeat',
    says: [
      '(repeat|say) (that|it) [again|once more|one more time]',
      '[can you] repeat',
      'say (that|it) again',
      '(come again|pardon [me]|excuse me|sorry)',
      'what did you say',
      '[sorry] what was that',
      'one more time',
      'again',
      'i (did not|could not) (hear|catch|get|understand) (you|that|it)',
      'i did not (hear|catch|get) what you said',
    ],
    digits: '*',
    replies: [''],
    after: 'repeat',
  },
  {
    id: 'help',
    says: [
      'help [me]',
      'i need [some] help',
      'what can (you|i) (do|say|ask|ask you)',
      'what (can|do) you (help [me] with|know)',
      'what are my (options|choices)',
      '(options|menu|main menu)',
      'how does this work',
      'what else [can you do]',
      'i do not know [what to say]',
    ],
    replies: ['I can help with {{topics}}. What would you like?'],
    expects: 'open',
  },
  {
    id: 'goodbye',
    says: [
      '[okay|thanks|thank you] (good bye|bye|bye bye)',
      'good bye [for now]',
      '(see|talk to|speak to) you [later|soon|then]',
      'have a (good|nice|great) (day|one|evening|night|weekend)',
      '(hang up|end the call|end call)',
      'that is (all|everything|it) [for now|for today|thanks|thank you|i needed]',
      '(nothing else|nothing more)',
      'i am (done|finished|all set)',
      'i have to go',
      'good night',
    ],
    replies: ['Goodbye, and thanks for calling.', 'Thanks for calling. Take care. Goodbye.'],
    after: 'hang-up',
  },
  {
    id: 'thanks',
    says: [
      '(thanks|thank you) [very much|so much|a lot]',
      'thank you very much [indeed]',
      '(great|perfect|okay|lovely|excellent) (thanks|thank you)',
      'that (is|was) (great|helpful|very helpful|perfect)',
    ],
    replies: ["You're welcome. Is there anything else?", 'My pleasure. Anything else?'],
    expects: 'yes-no',
    next: ['nothing-else', 'something-else'],
  },
  {
    id: 'nothing-else',
    isFollowUp: true,
    says: ['<no>', 'i am (fine|good|okay)', 'that is all', 'nothing [else]', 'that will be all'],
    replies: ['All right. Thanks for calling, goodbye.'],
    after: 'hang-up',
  },
  {
    id: 'something-else',
    isFollowUp: true,
    says: ['<yes>', '[yes] i have (another|one more) question', '[yes] one more thing'],
    replies: ['Sure, go ahead.'],
    expects: 'open',
  },
  {
    id: 'presence',
    says: [
      'are you [still] there',
      '[hello] (is anybody|is anyone|is somebody|is someone) there',
      'can you hear me',
      'do you hear me',
      'hello hello',
      'are you listening',
    ],
    replies: ["Yes, I'm here, and I can hear you.", "I'm still here, go ahead."],
    isAside: true,
  },
  {
    id: 'wait',
    says: [
      '(wait|stop|hold on|hang on) [please]',
      '(wait|hold on|hang on) (a|one) (second|moment|minute)',
      '(just|give me) (a|one) (second|moment|minute)',
      '(one|a) (second|moment|minute)',
      'let me think',
      'be quiet',
    ],
    replies: ["Sure. I'm listening.", 'Of course, take your time.'],
    isAside: true,
  },
  {
    id: 'hello',
    says: [
      '(hello|hi|hey) [there]',
      'good (morning|afternoon|evening)',
      '(hi|hello) how are you',
      'how are you [doing] [today]',
      'how is it going',
    ],
    replies: ['Hello! I can help with {{topics}}.', 'Hi there. What can I do for you?'],
    expects: 'open',
  },
  {
    id: 'person',
    says: [
      '[can i] (speak|talk) to (a|an|some) (human|person|agent|representative|operator|one)',
      '(speak|talk) (to|with) (someone|somebody|a real person|a human being|customer service)',
      '(transfer|connect) me [to (a|an) (human|person|agent|representative|operator)]',
      '(representative|operator|real person|human being)',
      'i want a (human|person|real person)',
    ],
    replies: [
      "I'm sorry, I can't put you through to a person from here. I can help with {{topics}}.",
    ],
    expects: 'open',
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
    replies: ["I'm {{agent_name}}, an automated agent. I can help with {{topics}}."],
    expects: 'open',
  },
  {
    id: 'yes',
    says: ['<yes>'],
    replies: ['All right. I can help with {{topics}}. Which one?'],
    expects: 'open',
  },
  {
    id: 'no',
    says: ['<no>', 'never mind', 'forget it', 'cancel'],
    replies: ['No problem. Is there anything else I can do?'],
    expects: 'yes-no',
    next: ['nothing-else', 'something-else'],
  },
];

/** Said when nothing matched and the book has no fallbacks of its own. */
export const DEFAULT_FALLBACKS: readonly string[] = [
  "Sorry, I didn't get that. I can help with {{topics}}.",
  'I am afraid I did not understand. You can ask about {{topics}}.',
];
