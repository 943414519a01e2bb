// An OpenID provider of the npm package oidc-provider, for the tests, configured by
// the JSON file that is its only argument:
//
//	{ "listen": "127.0.0.1:1234", "clients": [client metadata, as registered],
//	  "users": [{ "id", "name", "email", "password", "groups": [] }] }
//
// Its keys, sessions and tokens are gone when it stops.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import Provider, { interactionPolicy } from 'oidc-provider';

const config = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const issuer = `http://${config.listen}`;
const [host, port] = config.listen.split(':');

const levels = ['password', 'code'];
const api = 'https://api.example.com';

const policy = interactionPolicy.base();
// Whoever asks for a level that the session has not reached is asked for more.
policy.get('login').checks.add(new interactionPolicy.Check(
  'acr_unmet', 'a higher level is asked for', 'login_required',
  ({ oidc }) => {
    const wanted = (oidc.params.acr_values ?? '').split(' ').filter((level) => levels.includes(level));
    return wanted.length > 0 && !wanted.includes(oidc.acr);
  },
));

const provider = new Provider(issuer, {
  clients: config.clients,
  jwks: { keys: [signingKey('rsa', { modulusLength: 2048 }), signingKey('ec', { namedCurve: 'P-256' })] },
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  scopes: ['openid', 'offline_access', 'email', 'profile', 'groups', 'read'],
  claims: {
    openid: ['sub'],
    email: ['email', 'email_verified'],
    profile: ['name', 'preferred_username'],
    groups: ['groups'],
  },
  acrValues: levels,
  pkce: { required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  ttl: {
    AccessToken: config.access_token_seconds ?? 300,
    ClientCredentials: 300, IdToken: 300, RefreshToken: 3600, Session: 3600, Grant: 3600, Interaction: 600,
  },
  features: {
    devInteractions: { enabled: false },
    introspection: { enabled: true },
    revocation: { enabled: true },
    clientCredentials: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    // Tokens for the API are JWTs, all others are opaque.
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: (ctx, resource) => {
        if (resource !== api) throw new Error(`unknown resource ${resource}`);
        return { scope: 'read', audience: api, accessTokenFormat: 'jwt' };
      },
      useGrantedResource: () => true,
    },
  },
  interactions: { policy, url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (ctx, id) => account(config.users.find((user) => user.id === id)),
  // Its clients are the company's own: nobody is asked for consent.
  loadExistingGrant: async (ctx) => {
    const { client, session, params } = ctx.oidc;
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope(params.scope);
    await grant.save();
    return grant;
  },
});

function signingKey(type, options) {
  return { ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig' };
}

function account(user) {
  if (user === undefined) return undefined;
  return {
    accountId: user.id,
    claims: () => ({
      sub: user.id, name: user.name, preferred_username: user.email.split('@')[0],
      email: user.email, email_verified: true, groups: user.groups,
    }),
  };
}

// The sign-in page. Its second level asks for the word "code" besides.
function page(response, wantsCode) {
  response.writeHead(200, { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' });
  response.end(`<!doctype html><title>Sign in</title><form method="post">
<p><input name="login" autocomplete="username"><p><input name="password" type="password">
${wantsCode ? '<p><input name="code">' : ''}<p><button type="submit">Sign in</button></form>`);
}

async function interaction(request, response) {
  const { params, prompt } = await provider.interactionDetails(request, response);
  if (prompt.name !== 'login') throw new Error(`no page for the prompt ${prompt.name}`);
  const wantsCode = (params.acr_values ?? '').split(' ').includes('code');
  if (request.method !== 'POST') return page(response, wantsCode);
  let body = '';
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  const user = config.users.find((one) => one.email === form.get('login') && one.password === form.get('password'));
  if (user === undefined || (wantsCode && form.get('code') !== 'code')) return page(response, wantsCode);
  return provider.interactionFinished(request, response, {
    login: { accountId: user.id, acr: wantsCode ? 'code' : 'password', amr: wantsCode ? ['pwd', 'otp'] : ['pwd'] },
  });
}

for (const event of ['server_error', 'authorization.error', 'pushed_authorization_request.error', 'grant.error', 'backchannel.error']) {
  provider.on(event, (ctx, error) => console.error(event, error.message, error.error_description ?? '', error.error_detail ?? ''));
}
provider.on('backchannel.success', (ctx, client) => console.error('backchannel.success', client.clientId));

const rest = provider.callback();
createServer((request, response) => {
  if (!request.url.startsWith('/interaction/')) return rest(request, response);
  return interaction(request, response).catch((error) => {
    console.error('interaction', error.message);
    response.writeHead(400).end(error.message);
  });
}).listen(Number(port), host);
