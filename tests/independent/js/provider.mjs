// A certified OpenID provider with made-up people, for the tests of signing in: node provider.mjs PORT BACK
// Each person signs in with any password; what they may do stands in the access token for RESOURCE.
import Provider from "oidc-provider";

const [port, back] = process.argv.slice(2);
const ISSUER = `http://127.0.0.1:${port}`;
const RESOURCE = "https://waymark.example";
const ROLES = ["person", "coordinator", "board", "ops"];
const PEOPLE = {
  "r.okafor": { role: "person", waymark_agency: "childrens_services", waymark_areas: ["northbury"] },
  "j.lane": { role: "person", waymark_agency: "police", waymark_areas: ["northbury"] },
  "o.night": { role: "ops" },
  "n.obody": { role: null },
};

const provider = new Provider(ISSUER, {
  clients: [{
    client_id: "waymark-console",
    client_secret: "a secret of the tests",
    redirect_uris: [back],
    grant_types: ["authorization_code", "refresh_token"],
  }],
  scopes: ["openid", "offline_access"],
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => RESOURCE,
      useGrantedResource: () => true,
      getResourceServerInfo: () => ({
        scope: ROLES.join(" "),
        audience: RESOURCE,
        accessTokenFormat: "jwt",
        // The console renews a token half a minute before its end: this one after two seconds.
        accessTokenTTL: 32,
        jwt: { sign: { alg: "RS256" } },
      }),
    },
  },
  issueRefreshToken: async () => true,
  findAccount: async (_, id) => (id in PEOPLE ? { accountId: id, claims: async () => ({ sub: id }) } : undefined),
  extraTokenClaims: async (_, token) => {
    const { role, ...claims } = PEOPLE[token.accountId] ?? {};
    return claims;
  },
  loadExistingGrant: async (ctx) => {
    const { accountId } = ctx.oidc.session;
    if (!accountId) return undefined;
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId });
    grant.addOIDCScope("openid offline_access");
    for (const role of ROLES) {
      if (PEOPLE[accountId]?.role === role) grant.addResourceScope(RESOURCE, role);
      else grant.rejectResourceScope(RESOURCE, role);
    }
    await grant.save();
    return grant;
  },
});

provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
