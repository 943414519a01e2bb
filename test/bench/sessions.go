package main

import (
	"context"
	"encoding/base64"
	"slices"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/idp/idptest"
	"github.com/doorward/doorward/internal/session"
)

// cookies is a store that seals sessions as the Doorwards of this house do.
func (h *house) cookies() (session.Store, error) {
	secret, err := base64.StdEncoding.DecodeString(h.secret)
	if err != nil {
		return nil, err
	}
	keys, err := session.NewKeyring([][]byte{secret})
	if err != nil {
		return nil, err
	}
	return session.NewCookieStore(session.CookieConfig{
		Keys: keys, Name: "doorward", Persist: true, Lifetime: 168 * time.Hour, Now: time.Now,
		Sites:  auth.Sites{{Scheme: "https", Host: "auth.bench.test", CookieDomain: "bench.test"}},
		Render: func(auth.User, auth.Tokens) auth.Identity { return auth.Identity{} },
	})
}

// signInWith signs in a user of other groups.
func (h *house) signInWith(ctx context.Context, s *server, groups []string) (string, error) {
	h.provider.Set(func(b *idptest.Behaviour) { b.User["groups"] = slices.Clone(groups) })
	defer h.provider.Reset()
	return h.signIn(ctx, s)
}
