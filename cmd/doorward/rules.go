package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/auth"
	"github.com/doorward/doorward/internal/config"
	"github.com/doorward/doorward/internal/gate"
	"github.com/doorward/doorward/internal/headers"
	"github.com/doorward/doorward/internal/policy"
)

// govern puts the rules and headers of a configuration in force, all of them or,
// with an error, none.
func (p *process) govern(cfg *config.Config) error {
	enforced, shadow, err := ruleSets(cfg)
	if err != nil {
		return err
	}
	render := renderer(cfg)
	claims := enforced.Claims()
	if shadow != nil {
		claims = append(claims, shadow.Claims()...)
	}
	for _, header := range cfg.Headers {
		if path, ok := strings.CutPrefix(header.Source, "claims."); ok {
			claims = append(claims, path)
		}
	}
	slices.Sort(claims)
	claims = slices.Compact(claims)
	clients, err := newClients(cfg, p.clients, p.providers, claims, render.Render, p.log)
	if err != nil {
		return err
	}
	clients.keep()
	for _, provider := range p.providers {
		provider.Keep(claims)
	}
	p.clients = clients
	p.main.Gate.Govern(&gate.Rules{
		Set: enforced, Shadow: shadow, Tokens: clients.tokens,
		Nobody: render.Render(auth.User{}, auth.Tokens{}), Rendering: p.main.Sessions.SetRender(render.Render),
	})
	return nil
}

func renderer(cfg *config.Config) *headers.Renderer {
	conf := headers.Config{
		Families: cfg.IdentityHeaders, PassAccessToken: cfg.PassAccessToken, PassIDToken: cfg.PassIDToken,
	}
	for _, header := range cfg.Headers {
		conf.Custom = append(conf.Custom, headers.Source{Name: header.Name, From: header.Source})
	}
	return headers.New(conf)
}

// ruleSets compiles the rules of a configuration: those in force and, when any
// rule is marked as shadow, a second set that has these in their places too. The
// error lists every condition that does not compile.
func ruleSets(cfg *config.Config) (enforced, shadow *policy.Set, err error) {
	conditions, err := policy.NewCompiler()
	if err != nil {
		return nil, nil, err
	}
	real, all := make([]policy.Rule, 0, len(cfg.Rules)), make([]policy.Rule, 0, len(cfg.Rules))
	var mistakes []error
	for _, r := range cfg.Rules {
		compiled, err := compile(r, conditions)
		if err != nil {
			mistakes = append(mistakes, inFile(cfg.File, r, err))
			continue
		}
		all = append(all, compiled)
		if !r.Shadow {
			real = append(real, compiled)
		}
	}
	mistakes = append(mistakes, guardedMistakes(cfg, all)...)
	if len(mistakes) > 0 {
		return nil, nil, errors.Join(mistakes...)
	}
	enforced = policy.New(real, cfg.Hosts(), time.Now)
	if len(all) > len(real) {
		shadow = policy.New(all, cfg.Hosts(), time.Now)
	}
	return enforced, shadow, nil
}

// inFile says where in the file an expression is wrong, as the file's own mistakes do.
func inFile(file string, r config.Rule, err error) error {
	line, column := r.Allow.WhenAt(1, 1)
	text := err.Error()
	if mistake, ok := errors.AsType[*policy.Mistake](err); ok {
		line, column = r.Allow.WhenAt(mistake.Line, mistake.Column)
		text = mistake.Problem
	}
	return fmt.Errorf("%s:%d:%d: rule %q: `when` %s", file, line, column, r.Name, text)
}

func compile(r config.Rule, conditions *policy.Compiler) (policy.Rule, error) {
	compiled := policy.Rule{
		Name: r.Name, Hosts: r.Hosts, Paths: r.Paths, Methods: r.Methods, Public: r.Public, Deny: r.Deny,
		ACR: r.ACR, MaxAge: r.MaxAge, Provider: r.Provider, NoRedirect: !r.Redirect, CORS: r.CORS,
		Title: r.Title, Icon: r.Icon,
	}
	if r.Allow == nil {
		return compiled, nil
	}
	compiled.Allow = &policy.Allow{
		Any: r.Allow.Any, Emails: r.Allow.Emails, EmailDomains: r.Allow.EmailDomains, Groups: r.Allow.Groups,
		Claims: r.Allow.Claims, Networks: r.Allow.Networks,
	}
	if r.Allow.When != "" {
		condition, err := conditions.Compile(r.Allow.When)
		if err != nil {
			return policy.Rule{}, err
		}
		compiled.Allow.When = condition
	}
	return compiled, nil
}
