// Package gate decides: may this request pass, and as whom? Read Check first.
package gate

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/bearer"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/policy"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// Gate holds what a decision depends on. Set the fields before the first Check,
// and the rules with Govern.
type Gate struct {
	Sessions  session.Store
	Renewals  *Renewals // nil: sessions stay as they are
	Sites     auth.Sites
	StartPath string // where a login begins, below each public URL
	Log       *slog.Logger
	Metrics   *telemetry.Metrics

	rules    atomic.Pointer[Rules]
	hintOnce sync.Once
}

// Rules are what may be replaced while the process runs.
type Rules struct {
	*policy.Set
	Nobody auth.Identity // the identity headers when nobody is signed in

	// Rendering makes the identity headers of sessions: what SetRender of Sessions
	// returned, or zero when it was not called.
	Rendering session.Rendering

	// Tokens, when they are there, are the bearer tokens of API clients. Otherwise
	// the Authorization header means nothing.
	Tokens *bearer.Tokens

	// Shadow, when it is there, is judged beside Set; where the two differ a line
	// is logged, and nothing else happens.
	Shadow *policy.Set
}

// Govern puts rules in force. Checks in flight keep the ones they began with.
func (g *Gate) Govern(rules *Rules) { g.rules.Store(rules) }

// Check decides one request. It is the whole hot path.
func (g *Gate) Check(ctx context.Context, req auth.Request) auth.Decision {
	rules := g.rules.Load()
	rule := rules.Match(req)                     // every request has one; an unknown host: deny
	who, err := g.whoAsks(ctx, req, rule, rules) // nobody is a value, not an error
	if err != nil && !rule.Public() {
		return unasked(rule.Name(), who, err) // fails closed, keeps the session
	}
	judgement, by := rule.Judge(req, who.user)
	g.compare(rules.Shadow, req, who.user, by, judgement)
	return g.answer(req, rule, who, by, judgement)
}

// asker is who a request comes from, and as response headers.
type asker struct {
	user     auth.User
	identity auth.Identity
	byToken  bool // an API client, which cannot be sent to a login
}

// whoAsks returns who the request comes from: an API client by its token, also
// beside a session, and otherwise the session. Nobody has the empty identity of
// the rules. The error is auth.ErrInvalidToken, or auth.ErrOtherHost, or means that
// nobody could tell. On a public rule a token that gives an error is passed over.
func (g *Gate) whoAsks(ctx context.Context, req auth.Request, rule policy.Governing, rules *Rules) (asker, error) {
	if rules.Tokens != nil && len(req.Authorization) > 0 {
		user, identity, found, err := rules.Tokens.Ask(ctx, req)
		if found && (err == nil || !rule.Public()) {
			return asker{user, identity, true}, err
		}
	}
	s, err := g.Sessions.Load(ctx, req)
	if err == nil && g.Renewals != nil {
		s, err = g.Renewals.Fresh(ctx, s)
	}
	if s.User.Nobody() {
		return asker{identity: rules.Nobody}, err
	}
	return asker{user: s.User, identity: s.IdentityBy(rules.Rendering)}, err
}

// unasked is the decision where no rule is asked, because it is not known who asks
// or because the token of an API client is not for here.
func unasked(rule string, who asker, err error) auth.Decision {
	d := auth.CannotTell(rule, err)
	d.User = who.user
	return d
}

// answer makes the decision of a judgement: the identity to pass on, or where to
// sign in.
func (g *Gate) answer(req auth.Request, rule policy.Governing, who asker, by string, j auth.Judgement) auth.Decision {
	d := auth.Decision{Judgement: j, Rule: by, User: who.user}
	switch j.Verdict {
	case auth.Allow:
		d.Identity = who.identity
		if d.Identity.Size > headers.Limit {
			d.Judgement, d.Identity = auth.Judgement{Reason: auth.IdentityTooLarge}, auth.Identity{}
		}
	case auth.SignIn:
		if rule.Redirects() && !who.byToken {
			d.SignInURL = g.signInURL(req)
		}
	}
	return d
}

// compare judges a request by the rules that are not in force, and logs where
// they would have answered otherwise.
func (g *Gate) compare(shadow *policy.Set, req auth.Request, user auth.User, rule string, j auth.Judgement) {
	if shadow == nil {
		return
	}
	if judged, by := shadow.Match(req).Judge(req, user); judged.Verdict != j.Verdict {
		g.Log.Info("the shadow rules differ", "event", "shadow",
			"verdict", j.Verdict.String(), "rule", rule,
			"shadow_verdict", judged.Verdict.String(), "shadow_rule", by, "shadow_reason", judged.Reason.Code,
			"method", req.Method, "host", req.Host, "path", req.Path, "user", user.ID)
	}
}

// Apps are the places that the rules let user open.
func (g *Gate) Apps(user auth.User, client netip.Addr) []policy.App {
	return g.rules.Load().Apps(user, client)
}

// LoginFor is what the rule that governs req asks of a login.
func (g *Gate) LoginFor(req auth.Request) policy.Login { return g.rules.Load().Match(req).Login() }

// Judge says whether user may make a request, outside a check: at the end of a
// login, so that who may not enter hears it there.
func (g *Gate) Judge(req auth.Request, user auth.User) auth.Judgement {
	return g.rules.Load().Match(req).Decide(req, user)
}
