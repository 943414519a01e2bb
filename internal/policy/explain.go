package policy

import "github.com/doorward/doorward/internal/auth"

// Step is one rule that was tried on the way to a verdict.
type Step struct {
	Rule string
	Path string // the reading of the path that it was tried on

	// Passed says why the rule does not govern: "host", "method", "path" or
	// "not canonical"; "" when it does.
	Passed    string
	Judgement auth.Judgement // of the rule that governs
}

// Explain tries the rules on a request as Match and Judge do, and says what each
// came to. A path that can be read in several ways is tried in all. The judgement
// and the name of its rule are those of Judge.
func (s *Set) Explain(req auth.Request, user auth.User) ([]Step, auth.Judgement, string) {
	steps := s.steps(req, user)
	judgement, rule := s.Match(req).Judge(req, user)
	return steps, judgement, rule
}

func (s *Set) steps(req auth.Request, user auth.User) []Step {
	var steps []Step
	all, n := readings(req.Path)
	for _, path := range all[:n] {
		steps = append(steps, s.explain(req, user, path)...)
	}
	return steps
}

func (s *Set) explain(req auth.Request, user auth.User, path reading) []Step {
	named := map[int]bool{}
	candidates := s.candidates(req.Host)
	for i := candidates.next(); i >= 0; i = candidates.next() {
		named[i] = true
	}
	var steps []Step
	for i := range s.rules {
		r := &s.rules[i]
		step := Step{Rule: r.Name, Path: path.path}
		switch {
		case !named[i]:
			step.Passed = "host"
		case !r.coversMethod(req.Method):
			step.Passed = "method"
		case !r.covers(req.Method, path):
			step.Passed = "path"
		case r.Public && path.odd:
			step.Passed = "not canonical"
		default:
			step.Judgement = r.decide(&req, &user, path.path, s.now)
			return append(steps, step)
		}
		steps = append(steps, step)
	}
	return steps
}
