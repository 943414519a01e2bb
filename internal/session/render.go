package session

import (
	"sync/atomic"

	"github.com/doorward/doorward/internal/auth"
)

// Render makes the identity headers of a user.
type Render func(auth.User, auth.Tokens) auth.Identity

// Rendering is a Render that a store was given, and how many it had before. The
// zero Rendering is the store's first.
type Rendering struct {
	Render
	generation int
}

// IdentityBy is the identity of the session as r makes it. It is at hand, unless
// another Render was set while the session was opened.
func (s *Session) IdentityBy(r Rendering) auth.Identity {
	if s.Rendered == r.generation {
		return s.Identity
	}
	return r.Render(s.User, s.Tokens)
}

// renderer renders the sessions of a store, by the Render that it was given last.
type renderer struct{ last atomic.Pointer[Rendering] }

// begin gives a store its first Render.
func (r *renderer) begin(render Render) { r.last.Store(&Rendering{Render: render}) }

// SetRender implements Store.
func (r *renderer) SetRender(render Render) Rendering {
	next := Rendering{render, r.generation() + 1}
	r.last.Store(&next)
	return next
}

// generation tells what was rendered before the last SetRender from what was
// rendered since.
func (r *renderer) generation() int { return r.last.Load().generation }

// render gives s its identity as response headers.
func (r *renderer) render(s *Session) {
	last := r.last.Load()
	s.Identity, s.Rendered = last.Render(s.User, s.Tokens), last.generation
}

// rendered is s with its identity as response headers.
func (r *renderer) rendered(s Session) Session {
	r.render(&s)
	return s
}
