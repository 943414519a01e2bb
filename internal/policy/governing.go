package policy

import (
	"time"

	"github.com/doorward/doorward/internal/auth"
)

// Governing is the rule that governs a request or, for a path that can be read
// in several ways, the rules of all readings. The zero Governing denies.
type Governing struct {
	set      *Set
	all      [maxReadings]governed
	n        int
	narrowed bool // by the query of the check
}

// governed is a rule and the path that a condition of it sees.
type governed struct {
	*rule
	path string
}

func (g *Governing) add(r *rule, path string) {
	g.all[g.n] = governed{r, path}
	g.n++
}

// Public reports whether the request may pass without anybody signed in.
func (g Governing) Public() bool {
	return g.n == 1 && g.all[0].Public && !g.narrowed
}

// Redirects reports whether somebody who is not signed in may be sent to a login.
func (g Governing) Redirects() bool {
	for _, r := range g.all[:g.n] {
		if r.NoRedirect {
			return false
		}
	}
	return g.n > 0
}

// Name is the name of the rule that governs the path as it came, "" when none
// covers it. Judge says which rule a judgement is of.
func (g Governing) Name() string {
	if g.n == 0 {
		return ""
	}
	return g.all[0].Name
}

// Login is what the rules ask of a login, beyond that there is one.
type Login struct {
	ACR      []string
	MaxAge   time.Duration // 0: any age
	Provider string
}

// Login returns what a login has to be like that is to satisfy the rules.
func (g Governing) Login() Login {
	var login Login
	for _, r := range g.all[:g.n] {
		if len(r.ACR) > 0 {
			login.ACR = r.ACR
		}
		if r.MaxAge > 0 && (login.MaxAge == 0 || r.MaxAge < login.MaxAge) {
			login.MaxAge = r.MaxAge
		}
		if r.Provider != "" {
			login.Provider = r.Provider
		}
	}
	return login
}

// Decide judges user on req. Where several rules govern, all must admit the user.
func (g Governing) Decide(req auth.Request, user auth.User) auth.Judgement {
	judgement, _ := g.Judge(req, user)
	return judgement
}

// Judge is Decide, and the name of the rule that the judgement is of: where
// several rules govern, of the first that denies, then of the last that wants a
// login, and otherwise of the first. It is "" when none covers the request.
func (g Governing) Judge(req auth.Request, user auth.User) (judgement auth.Judgement, rule string) {
	if g.n == 0 {
		return auth.Judgement{Reason: auth.NoRule}, ""
	}
	for i, r := range g.all[:g.n] {
		other := r.decide(&req, &user, r.path, g.set.now)
		if i == 0 || other.Verdict != auth.Allow {
			judgement, rule = other, r.Name
		}
		if judgement.Verdict == auth.Deny {
			break
		}
	}
	return judgement, rule
}
