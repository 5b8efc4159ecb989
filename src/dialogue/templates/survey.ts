import type { PhrasebookEntry } from '../../model/agent.ts';
import { POLITE_IDLE, type AgentTemplate } from './agent-template.ts';

const QUESTIONS = [
  'How easy was it to reach us, from one to five?',
  'How well did we help you, from one to five?',
  'How likely are you to recommend us, from one to five?',
] as const;

const scoreSays = (name: string): string[] => [
  `{${name}:number 1-5}`,
  `[i would] (say|give it|give you|rate it) [a] {${name}:number 1-5}`,
  `[a|maybe|about] {${name}:number 1-5} [out of five|points|stars]`,
  `it (is|was) [a] {${name}:number 1-5}`,
];

/** An answer to question `at` leads to the next one; the words for scores are understood too. */
function answerTo(at: number): PhrasebookEntry[] {
  const id = `score-${at}`;
  const next = QUESTIONS[at];
  const reply =
    next === undefined ? 'Thank you. Would you like to add a comment?' : `Thank you. ${next}`;
  const following: Pick<PhrasebookEntry, 'expects' | 'next'> =
    next === undefined
      ? { expects: 'yes-no', next: ['comment', 'no-comment'] }
      : { expects: 'digits', next: [`score-${at + 1}`, `words-${at + 1}`, 'out-of-range'] };
  const rest = { isFollowUp: true, replies: [reply], ...following };
  return [
    { id, says: scoreSays(`score${at}`), ...rest },
    {
      id: `words-${at}`,
      says: [
        '(it was|very|really|quite|so|pretty) [so] (good|bad|great|well|easy|hard|likely|unlikely|poor)',
        '(good|bad|great|excellent|terrible|perfect|poor|average|not bad|not good|easy|hard|well|likely)',
        '(the best|the worst|nothing special|could be better|so so|all right|okay)',
      ],
      ...rest,
      replies: ['I see. And as a number, from one to five?'],
      expects: 'digits',
      next: [id, 'out-of-range'],
    },
  ];
}

export const SURVEY: AgentTemplate = {
  id: 'survey',
  displayName: 'Short survey',
  description: 'Asks three questions, each answered from one to five by voice or keypad.',
  language: 'en-US',
  greetingText:
    'Hello! May I ask three quick questions about {{company|your last call with us}}? It takes a minute.',
  systemPrompt:
    'You run a survey about {{company|the last call}}: three questions, each scored one to five: ' +
    'how easy it was to reach us, how well we helped, how likely they are to recommend us. ' +
    'Ask one at a time, accept words and keypad, thank for each answer, never argue.',
  idle: POLITE_IDLE,
  phrasebook: {
    opening: 'intro',
    fallbacks: [
      'Sorry, I need a number from one to five. You can also press a key.',
      'I did not catch that. One is poor, five is excellent. You can say stop at any time.',
    ],
    entries: [
      {
        id: 'intro',
        says: [
          'what is this (about|for|survey about)',
          'why are you calling [me]',
          'what do you want [from me]',
          'what (questions|survey|kind of questions)',
        ],
        replies: ['It is a short survey about {{company|your last call with us}}. May I begin?'],
        expects: 'yes-no',
        next: ['begin-yes', 'refuse-no'],
        topic: 'what this is about',
      },
      {
        id: 'begin',
        says: [
          '(start|begin|continue) [the survey|now]',
          '(let us|i am ready to) (start|begin|go|do it)',
          '(i am ready|ready|go on|go ahead)',
          '[yes] (you may|i have time|i have a minute)',
        ],
        replies: [`Thank you. ${QUESTIONS[0]}`],
        expects: 'digits',
        next: ['score-1', 'words-1', 'out-of-range'],
        topic: 'starting the survey',
      },
      {
        id: 'begin-yes',
        isFollowUp: true,
        says: ['<yes>', 'you may', 'all right then'],
        replies: [`Thank you. ${QUESTIONS[0]}`],
        expects: 'digits',
        next: ['score-1', 'words-1', 'out-of-range'],
      },
      {
        id: 'refuse',
        says: [
          'i (do not have time|have no time|am busy)',
          '[no] (not interested|i am not interested)',
          'i do not want to (answer|do this|do a survey)',
          'not (now|today)',
          'stop [the survey|calling me|it]',
          'take me off [your|the] list',
        ],
        replies: ['No problem at all. Thank you, and goodbye.'],
        after: 'hang-up',
      },
      {
        id: 'refuse-no',
        isFollowUp: true,
        says: ['<no>', 'maybe later', 'another time'],
        replies: ['No problem at all. Have a good day, goodbye.'],
        after: 'hang-up',
      },
      ...answerTo(1),
      ...answerTo(2),
      ...answerTo(3),
      {
        id: 'out-of-range',
        isFollowUp: true,
        says: ['{wrong:number 0-100}', '[maybe|about] {wrong:number 0-100}', 'more than five'],
        replies: ['Please choose from one, which is poor, to five, which is excellent.'],
        isAside: true,
      },
      {
        id: 'comment',
        isFollowUp: true,
        says: ['<yes>', 'i (have|would like to add) (a comment|something)', 'actually yes'],
        replies: ['Please go ahead, I am listening.'],
        expects: 'open',
        next: ['comment-end'],
      },
      {
        id: 'comment-end',
        isFollowUp: true,
        says: ['that is (all|it)', 'you were (great|very helpful)', 'thank you'],
        replies: ['Thank you for your time. Goodbye!'],
        after: 'hang-up',
      },
      {
        id: 'no-comment',
        isFollowUp: true,
        says: ['<no>', 'nothing to add', 'that is (all|it)'],
        replies: ['Thank you for your time. Goodbye!'],
        after: 'hang-up',
      },
      {
        id: 'how-long',
        says: [
          'how long (does it take|will it take|will this take|is it)',
          'how many questions [are there|do you have]',
          'is it (long|short|quick)',
          'does it take long',
        ],
        replies: ['Three questions, about one minute. Shall we?'],
        expects: 'yes-no',
        next: ['begin-yes', 'refuse-no'],
        topic: 'how long it takes',
      },
      {
        id: 'privacy',
        says: [
          'is (it|this) (anonymous|recorded|private)',
          'what do you do with (it|my answers|the answers)',
          'who (sees|gets) (it|my answers|the answers)',
          'are you recording [this|me]',
        ],
        replies: ['Your answers go only to {{company|the people you called}}. Shall we go on?'],
        expects: 'yes-no',
        next: ['begin-yes', 'refuse-no'],
        topic: 'who sees the answers',
      },
      {
        id: 'scale',
        says: [
          'what (does one mean|does five mean|is the scale)',
          'which (one|number) is (best|better|good)',
          'is (one|five) (good|bad|best)',
          'what do the numbers mean',
        ],
        replies: ['One is poor and five is excellent. What do you say?'],
        isAside: true,
        topic: 'what the numbers mean',
      },
      {
        id: 'who',
        says: [
          'who is (this|calling|speaking)',
          'who are you',
          'where are you calling from',
          'what company is this',
        ],
        replies: [
          'This is an automated survey of {{company|the people you last called}}. May I begin?',
        ],
        expects: 'yes-no',
        next: ['begin-yes', 'refuse-no'],
      },
    ],
  },
};
