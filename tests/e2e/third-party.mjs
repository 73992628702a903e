// A real third party for the tests: the certified `oidc-provider` on this machine, with pages of its own and a door by
// which a test says who has an account there.
//
//     node third-party.mjs [port]
//
// Without a port, or with 0, it takes a free one. Its first line says where it is: `serving http://127.0.0.1:34567`.
// That is the issuer; it is a number and no name, since browsers share the cookies of all servers called `localhost`.
// It ends when its standard input does, so that it never outlives who started it.
//
// Every client has to send PKCE. Callbacks name the issuer (RFC 9207), access tokens are opaque, and most claims are at
// userinfo only, as in OpenID Connect Core 1.0 section 5.4. Nothing is kept but in memory, and no page asks another host
// for anything.
//
// The door takes POSTs of JSON:
//
//     /door/client    metadata of a client (OpenID Connect Dynamic Client Registration 1.0 section 2)
//     /door/account   {"name": "ada", "claims": {"email": "ada@example.com"}, "disabled": false}: all of it anew
//     /door/keys      {}: signs with a new key from now on, and publishes no other
//     /door/seen      {}: answers what was asked so far, such as ["GET /auth", "POST /token"]
//     /door/secrets   {}: answers every code and token that was given so far
import { generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const CLAIMS = {
  openid: ['sub'],
  profile: ['name', 'preferred_username', 'groups'],
  email: ['email', 'email_verified'],
};

/** What is given to clients, and is known by its id. */
const GIVEN = ['AuthorizationCode', 'AccessToken', 'RefreshToken'];

/** Accounts by name, which is also what is typed to sign in. */
const accounts = new Map();
/** Everything that the provider stores, which stays when its keys change. */
const stored = new Map();
const secrets = new Set();
const seen = [];
let keys = 0;
let handle;

class Adapter {
  constructor(model) {
    this.model = model;
  }

  key(id) {
    return `${this.model} ${id}`;
  }

  async find(id) {
    return stored.get(this.key(id));
  }

  async findByUid(uid) {
    const own = [...stored].find(([key, value]) => key.startsWith(`${this.model} `) && value.uid === uid);
    return own?.[1];
  }

  async upsert(id, payload) {
    stored.set(this.key(id), payload);
    if (GIVEN.includes(this.model)) secrets.add(id);
  }

  async consume(id) {
    const used = stored.get(this.key(id));
    stored.set(this.key(id), { ...used, consumed: Math.floor(Date.now() / 1000) });
  }

  async destroy(id) {
    stored.delete(this.key(id));
  }

  async revokeByGrantId(grantId) {
    for (const [key, value] of stored) {
      if (value.grantId === grantId) stored.delete(key);
    }
  }
}

function newKey() {
  keys += 1;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: `key-${keys}`, use: 'sig', alg: 'RS256' };
}

async function findAccount(_context, name) {
  const account = accounts.get(name);
  if (!account || account.disabled) return undefined;
  return { accountId: name, claims: async () => ({ ...account.claims, sub: name }) };
}

function escaped(text) {
  const entities = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };
  return String(text).replace(/[&<>"']/g, (character) => entities[character]);
}

function page(title, body) {
  const icon = '<link rel="icon" href="data:,">';
  const head = `<meta charset="utf-8"><meta name="viewport" content="width=device-width">${icon}<title>${title}</title>`;
  return `<!doctype html><html lang="en"><head>${head}</head><body><h1>${title}</h1>${body}</body></html>`;
}

function configuration() {
  const plainCookies = { httpOnly: true, sameSite: 'lax', signed: false };
  return {
    adapter: Adapter,
    jwks: { keys: [newKey()] },
    findAccount,
    claims: CLAIMS,
    scopes: ['openid', 'offline_access'],
    pkce: { required: () => true },
    cookies: { keys: ['of a third party in tests'], long: plainCookies, short: plainCookies },
    clientDefaults: { grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
    interactions: { url: (_context, interaction) => `/there/${interaction.uid}` },
    renderError(context, out) {
      context.type = 'html';
      const words = `${escaped(out.error)}: ${escaped(out.error_description ?? '')}`;
      context.body = page('Something is wrong there', `<p>${words}</p>`);
    },
    ttl: { Session: 3600, Grant: 3600, Interaction: 600, AccessToken: 600, IdToken: 600, RefreshToken: 86400 },
    features: {
      devInteractions: { enabled: false },
      rpInitiatedLogout: {
        enabled: true,
        logoutSource(context, form) {
          const button = '<button form="op.logoutForm" name="logout" value="yes">Sign out there</button>';
          context.body = page('Sign out there?', form + button);
        },
        postLogoutSuccessSource(context) {
          context.body = page('You are signed out there', '');
        },
      },
    },
  };
}

async function body(request) {
  const pieces = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

/** What the door is told, and answers. */
const told = {
  '/door/client': (client) => void stored.set(`Client ${client.client_id}`, client),
  '/door/account': ({ name, ...account }) => void accounts.set(name, account),
  '/door/keys': () => start(),
  '/door/seen': () => seen,
  '/door/secrets': () => [...secrets],
};

async function door(request, response, path) {
  const answer = told[path](JSON.parse(await body(request)));
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify(answer ?? {}));
}

/** What is asked of the person, on a page that names the client and what it wants. */
function question({ uid, prompt, params }, wrong) {
  const form = (inside) => page(
    prompt.name === 'login' ? 'Sign in there' : 'Allow it there?',
    `<p>${escaped(params.client_id)} wants: ${escaped(params.scope)}</p>${wrong ? '<p>Nobody is called that.</p>' : ''}`
      + `<form method="post" action="/there/${uid}">${inside}<button name="answer" value="no" formnovalidate>`
      + 'Cancel</button></form>',
  );
  return prompt.name === 'login'
    ? form('<label>Name <input name="there" required autofocus></label> <button name="answer" value="yes">Go on</button>')
    : form('<button name="answer" value="yes">Allow</button>');
}

async function consent(provider, { grantId, prompt, params, session }) {
  const grant = grantId
    ? await provider.Grant.find(grantId)
    : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope((prompt.details.missingOIDCScope ?? []).join(' '));
  grant.addOIDCClaims(prompt.details.missingOIDCClaims ?? []);
  return { consent: { grantId: await grant.save() } };
}

/** The pages: who are you, and may they know it. */
async function interact(provider, request, response) {
  const details = await provider.interactionDetails(request, response);
  const show = (wrong) => {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(question(details, wrong));
  };
  if (request.method !== 'POST') return show(false);
  const given = new URLSearchParams(await body(request));
  if (given.get('answer') === 'no') {
    const denied = { error: 'access_denied', error_description: 'the person gave it up' };
    return provider.interactionFinished(request, response, denied, { mergeWithLastSubmission: false });
  }
  if (details.prompt.name === 'login') {
    const name = given.get('there');
    if (!(await findAccount(undefined, name))) return show(true);
    const result = { login: { accountId: name, amr: ['pwd'] } };
    return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
  }
  const result = await consent(provider, details);
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: true });
}

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, 'http://127.0.0.1');
  try {
    if (told[pathname]) return await door(request, response, pathname);
    seen.push(`${request.method} ${pathname}`);
    await handle(request, response, pathname);
  } catch (error) {
    console.error(error);
    response.statusCode = 500;
    response.end(page('Something is wrong there', `<p>${escaped(error)}</p>`));
  }
});

/** The provider, with a key of its own. */
function start() {
  const provider = new Provider(`http://127.0.0.1:${server.address().port}`, configuration());
  provider.on('server_error', (_context, error) => console.error(error));
  const answer = provider.callback();
  handle = (request, response, pathname) => pathname.startsWith('/there/')
    ? interact(provider, request, response)
    : answer(request, response);
}

server.listen(Number(process.argv[2] ?? 0), '127.0.0.1', () => {
  start();
  console.log(`serving http://127.0.0.1:${server.address().port}`);
});
process.stdin.resume().on('end', () => process.exit(0));
