import { CallView } from './call-view.js';
import { sharePanel } from './share.js';

/** An owner's link to call an agent that is not shared: `#token=owt_…`, good for one call. */
const TOKEN = /^#token=(owt_[\w.~-]+)$/;

const agentId = decodeURIComponent(location.pathname.split('/').pop() ?? '');
const path = encodeURIComponent(agentId);
const [, token] = TOKEN.exec(location.hash) ?? [];
// It is used up by the call, and nobody's to copy from the address bar.
if (token !== undefined) history.replaceState(null, '', location.pathname);

const view = new CallView(
  token === undefined
    ? { offerUrl: `/v1/public/try/${path}/offer`, agentId }
    : { offerUrl: '/v1/webrtc/offer', agentId, token },
);
const isFramed = window.parent !== window;
const place = document.getElementById('call');
place?.replaceChildren(view.root);
// Shown in a frame by the embeddable button, which has a heading of its own.
document.body.classList.toggle('framed', isFramed);
if (!isFramed && token === undefined) {
  const address = location.origin + location.pathname;
  place?.append(sharePanel({ address, qrCode: `/try/${path}/qr.svg` }));
}
