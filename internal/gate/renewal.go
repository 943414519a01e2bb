package gate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp"
	"github.com/doorward/doorward/internal/session"
	"github.com/doorward/doorward/internal/telemetry"
)

// Bounds of renewals.
const (
	maxRenewing    = 32               // at one time, in the whole process (L7)
	patience       = 5 * time.Second  // how long a check waits for one that is overdue
	refreshTimeout = 25 * time.Second // of all that is asked of a provider
	renewTimeout   = 30 * time.Second // of that, and of the store around it

	// grace is how long claims count beyond Recheck while the provider cannot be
	// asked about them.
	grace = time.Hour

	// clockSlack is by how much the clock may step back before a session that was
	// renewed in the future is due.
	clockSlack = 5 * time.Minute
)

// RenewalConfig is what Renewals are made of.
type RenewalConfig struct {
	Sessions  session.Store
	Providers idp.Providers

	// PassAccessToken and PassIDToken say which tokens are passed on, and so must
	// not run out.
	PassAccessToken, PassIDToken bool

	// Recheck is how old what is known about a user may be, groups above all; 0:
	// as old as the session.
	Recheck time.Duration

	Log     *slog.Logger
	Metrics *telemetry.Metrics
	Now     func() time.Time
}

// Renewals keep sessions up to date at their provider, when tokens are about to
// run out that are passed on, and when claims are older than Recheck.
//
// A session that is due is renewed behind the check that notices it. One that is
// overdue is waited for, up to five seconds. When that brings nothing, the session
// goes on as it was: for ever where only tokens ran out, and for an hour where
// claims are older than Recheck. Only a provider that says invalid_grant, and so
// that it has ended the session itself, signs somebody out.
type Renewals struct {
	RenewalConfig
	slots    chan struct{} // one for each renewal in flight
	troubles troubles

	mu      sync.Mutex
	flights map[session.ID]*flight
}

// flight is one renewal that runs. Its other fields are set before done is closed.
type flight struct {
	began   time.Time
	done    chan struct{}
	session session.Session
	err     error
}

// NewRenewals returns nil, which renews nothing, when the configuration needs
// neither fresh tokens nor fresh claims.
func NewRenewals(cfg RenewalConfig) *Renewals {
	if !cfg.PassAccessToken && !cfg.PassIDToken && cfg.Recheck == 0 {
		return nil
	}
	return &Renewals{
		RenewalConfig: cfg, slots: make(chan struct{}, maxRenewing),
		troubles: newTroubles(cfg.Now), flights: map[session.ID]*flight{},
	}
}

// Fresh returns a session as it counts now. Nobody is one that has ended, or that
// has to be confirmed by a new login. The error, auth.ErrProviderUnavailable, says
// that its claims are too old and the provider cannot be asked. For a session that
// is not due it costs comparisons.
func (r *Renewals) Fresh(ctx context.Context, s session.Session) (session.Session, error) {
	if r == nil || s.User.Nobody() {
		return s, nil
	}
	now := r.Now()
	tokens, claims := r.tokensEnd(&s), r.claimsEnd(&s)
	if now.Before(ahead(&s, tokens)) && now.Before(ahead(&s, claims)) && now.After(s.Renewed.Add(-clockSlack)) {
		return s, nil
	}
	overdue := !now.Before(tokens) || !now.Before(claims)
	switch {
	case s.Tokens.Refresh == "":
	case !r.troubles.may(&s):
	case !overdue:
		r.behind(ctx, s)
		return s, nil
	default:
		if next, ok := r.wait(ctx, s); ok {
			return next, nil
		}
	}
	if now.Before(claims) {
		return s, nil
	}
	return r.tooOld(s, now)
}

// never is later than any session.
var never = time.Unix(1<<40, 0)

// tokensEnd is when the first of the tokens runs out that are passed on, never
// when they cannot be renewed.
func (r *Renewals) tokensEnd(s *session.Session) time.Time {
	first := never
	if s.Tokens.Refresh == "" {
		return first
	}
	if at := s.Tokens.Expiry; r.PassAccessToken && !at.IsZero() && at.Before(first) {
		first = at
	}
	if at := s.Tokens.IDExpiry; r.PassIDToken && !at.IsZero() && at.Before(first) {
		first = at
	}
	return first
}

// claimsEnd is when what is known about the user is too old.
func (r *Renewals) claimsEnd(s *session.Session) time.Time {
	if r.Recheck == 0 {
		return never
	}
	return s.Renewed.Add(r.Recheck)
}

// ahead is when a renewal begins of what ends at a time: a quarter of its life
// before, and at most a minute. Up to a half of that is left out, another part for
// each session, so that sessions of one moment do not ask in one moment (REF-2).
func ahead(s *session.Session, end time.Time) time.Time {
	if s.Tokens.Refresh == "" || end.Equal(never) {
		return end
	}
	lead := max(min(end.Sub(s.Renewed)/4, time.Minute), 0)
	return end.Add(-lead + lead/2*time.Duration(s.ID[len(s.ID)-1])/256)
}

// behind begins a renewal that nobody waits for, unless all slots are taken: then
// a later check will.
func (r *Renewals) behind(ctx context.Context, s session.Session) {
	if r.inFlight(s.ID) != nil {
		return
	}
	select {
	case r.slots <- struct{}{}:
		r.launch(ctx, s)
	default:
	}
}

// wait renews a session, or waits for the renewal that runs, and reports whether
// that came to an end in time and brought something. Only who holds a slot
// starts work, so that waiting costs no more than the checks that wait.
func (r *Renewals) wait(ctx context.Context, s session.Session) (session.Session, bool) {
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	f := r.inFlight(s.ID)
	if f == nil {
		select {
		case r.slots <- struct{}{}:
			f = r.launch(ctx, s)
		case <-patient.Done():
			return s, false
		}
	}
	select {
	case <-f.done:
		return f.session, f.err == nil
	case <-patient.Done():
		if r.Now().Sub(f.began) >= patience {
			r.troubles.slow(s.User.Provider) // the next ones need not wait to find out
		}
		return s, false
	}
}

func (r *Renewals) inFlight(id session.ID) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flights[id]
}

// launch begins a renewal in the slot that the caller took, or gives that back
// when another one has begun.
func (r *Renewals) launch(ctx context.Context, s session.Session) *flight {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[s.ID]; f != nil {
		<-r.slots
		return f
	}
	f := &flight{began: r.Now(), done: make(chan struct{}), session: s, err: errors.New("gate: the renewal did not end")}
	r.flights[s.ID] = f
	go func() {
		defer func() {
			r.mu.Lock()
			delete(r.flights, s.ID)
			r.mu.Unlock()
			close(f.done)
			<-r.slots
		}()
		r.renew(context.WithoutCancel(ctx), s, f)
	}()
	return f
}

// renew asks the store to renew a session, and says what came of it. It goes on
// when the client that caused it is gone (REF-3).
func (r *Renewals) renew(ctx context.Context, s session.Session, f *flight) {
	ctx, cancel := context.WithTimeout(ctx, renewTimeout)
	defer cancel()
	line := r.line(&s)
	defer func() {
		if p := recover(); p != nil {
			f.err = fmt.Errorf("gate: renew: panic of type %T", p)
			r.troubles.note(&s, f.err)
			line.Error("a renewal panicked; the session goes on as it was", "error", f.err)
		}
	}()
	if f.session, f.err = r.Sessions.Renew(ctx, s, r.refresh); f.err != nil {
		r.troubles.note(&s, f.err)
		line.Warn("a session could not be renewed and goes on as it was", "error", f.err)
	}
}

// refresh asks the provider. It is a session.Refresh.
func (r *Renewals) refresh(ctx context.Context, s session.Session) (next session.Session, err error) {
	ctx, cancel := context.WithTimeout(ctx, refreshTimeout)
	defer cancel()
	name := s.User.Provider
	defer func() {
		if p := recover(); p != nil {
			next, err = s, fmt.Errorf("gate: refresh: panic of type %T", p)
			r.Metrics.Refresh(name, "panic")
		}
	}()
	provider, ok := r.Providers.Named(name)
	if !ok {
		return s, fmt.Errorf("gate: refresh: there is no provider %q any more", name)
	}
	login, err := provider.Refresh(ctx, s.Tokens.Refresh, s.User)
	result := outcome(login, err)
	r.Metrics.Refresh(name, result)
	switch {
	case result == "ended":
		r.troubles.over(&s, true)
		r.line(&s).Info("the provider has ended the session")
		return session.Session{}, session.ErrEnded
	case err != nil:
		return s, err
	}
	r.troubles.over(&s, !login.Stale)
	r.line(&s).Info("a session was refreshed", "result", result)
	if !login.Stale {
		s.Renewed = r.Now()
	}
	s.User = login.User
	// An ID token that did not come again runs out, and asking for it again would
	// not help.
	login.Tokens.ID = cmp.Or(login.Tokens.ID, s.Tokens.ID)
	s.Tokens = login.Tokens
	return s, nil
}

// line is the log line of a refresh.
func (r *Renewals) line(s *session.Session) *slog.Logger {
	return r.Log.With("event", "refresh", "provider", s.User.Provider, "user", s.User.ID, "session", s.ID)
}

// outcome names what came of a refresh, for the metric. "ended" is the one that
// ends the session (REF-4).
func outcome(login idp.Login, err error) string {
	if rejected, ok := errors.AsType[*idp.RejectedError](err); ok {
		if rejected.Code == idp.InvalidGrant {
			return "ended"
		}
		return "rejected"
	}
	if _, ok := errors.AsType[*idp.UnavailableError](err); ok {
		return "unavailable"
	}
	switch {
	case err != nil:
		return "invalid"
	case login.Stale:
		return "stale"
	}
	return "success"
}

// tooOld is what becomes of a session whose claims are older than Recheck, and
// that was not renewed. While the provider is away it goes on for the grace, and
// then nobody can tell; otherwise a login has to confirm it.
func (r *Renewals) tooOld(s session.Session, now time.Time) (session.Session, error) {
	inGrace := now.Before(s.Renewed.Add(r.Recheck + grace))
	away := r.away(s.User.Provider)
	switch {
	case inGrace && (away || s.Tokens.Refresh != ""):
		return s, nil
	case away:
		return session.Session{}, fmt.Errorf("gate: claims of %s: %w", s.Renewed.UTC().Format(time.RFC3339), auth.ErrProviderUnavailable)
	}
	return session.Session{}, nil
}

// away reports whether a provider is known to be out of reach.
func (r *Renewals) away(name string) bool {
	provider, ok := r.Providers.Named(name)
	return ok && (provider.Ready() != nil || provider.Trouble() != nil || r.troubles.away(name))
}

// Finish waits until the renewals in flight have ended, or ctx has, and lets no
// other begin.
func (r *Renewals) Finish(ctx context.Context) {
	if r == nil {
		return
	}
	for range maxRenewing {
		select {
		case r.slots <- struct{}{}:
		case <-ctx.Done():
			r.Log.Warn("sessions are being renewed, and the process ends", "event", "refresh")
			return
		}
	}
}
