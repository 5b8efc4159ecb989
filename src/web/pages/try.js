import { CallView } from './call-view.js';

const agentId = decodeURIComponent(location.pathname.split('/').pop() ?? '');
const view = new CallView({
  offerUrl: `/v1/public/try/${encodeURIComponent(agentId)}/offer`,
  agentId,
});

document.getElementById('call')?.replaceWith(view.root);
// Shown in a frame by the embeddable button, which has a heading of its own.
document.body.classList.toggle('framed', window.parent !== window);
