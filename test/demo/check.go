package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/doorward/doorward/test/stack"
)

// signInAlone does over HTTP what a person would do in a browser, and stops at
// the first step that goes wrong. Doorward's log tells the rest.
func signInAlone(ctx context.Context, parts *stack.Stack) error {
	c := &check{parts: parts, ada: visitor(), eve: visitor()}
	for _, step := range []struct {
		name string
		run  func(context.Context) error
	}{
		{"a script without a login is refused and not sent away", c.scriptIsRefused},
		{"the first visit ends at the provider's sign-in page", c.firstVisit},
		{"signing in leads back to the very address", c.signIn},
		{"the app knows who it is, whatever the client claims", c.identity},
		{"a form reaches the app", c.form},
		{"an account of another domain gets a page that names it", c.otherDomain},
		{"after sign-out the app asks for a login again", c.signOut},
	} {
		fmt.Println("\n" + step.name)
		if err := step.run(ctx); err != nil {
			fmt.Println("  FAILED:", err)
			return fmt.Errorf("check failed: %s\n\nDoorward's log:\n%s", step.name, parts.Doorward.Process().Log())
		}
		fmt.Println("  ok")
	}
	fmt.Println("\nall steps passed")
	return nil
}

// check is the state between the steps.
type check struct {
	parts    *stack.Stack
	ada, eve *stack.Visitor
	page     stack.Page // where Ada is
}

// visitor prints each answer that somebody gets.
func visitor() *stack.Visitor {
	v := stack.NewVisitor(nil)
	v.Watch = func(req *http.Request, res *http.Response) {
		fmt.Printf("  %d %-4s %s\n", res.StatusCode, req.Method, withoutQuery(req))
	}
	return v
}

// withoutQuery leaves codes and states out of what is printed.
func withoutQuery(req *http.Request) string {
	return req.URL.Scheme + "://" + req.URL.Host + req.URL.EscapedPath()
}

// deepLink has no semicolon: Traefik writes %3B for it.
const deepLink = "/a%20b/c?x=1&y=%26&z=a+b,c"

func (c *check) scriptIsRefused(ctx context.Context) error {
	page, err := c.ada.Fetch(ctx, c.parts.AppURL+"/data", nil)
	if err != nil {
		return err
	}
	if page.Status != http.StatusUnauthorized || page.Header.Get("Location") != "" {
		return fmt.Errorf("status %d, Location %q; want a plain 401", page.Status, page.Header.Get("Location"))
	}
	return nil
}

func (c *check) firstVisit(ctx context.Context) (err error) {
	c.page, err = c.ada.Open(ctx, c.parts.AppURL+deepLink)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(c.page.URL.String(), c.parts.Dex.Issuer()) || c.page.Status != http.StatusOK {
		return fmt.Errorf("ended at %s with %d", c.page.URL.Redacted(), c.page.Status)
	}
	return nil
}

func (c *check) signIn(ctx context.Context) (err error) {
	c.page, err = c.ada.SignIn(ctx, c.page, stack.Ada)
	if err != nil {
		return err
	}
	if c.page.URL.String() != c.parts.AppURL+deepLink || c.page.Status != http.StatusOK {
		return fmt.Errorf("ended at %s with %d, want %s", c.page.URL, c.page.Status, c.parts.AppURL+deepLink)
	}
	return nil
}

func (c *check) identity(ctx context.Context) error {
	page, err := c.ada.Fetch(ctx, c.parts.AppURL+"/data", http.Header{
		"X-Auth-Request-Email":  {"root@example.com"},
		"X-Auth-Request-Groups": {"admins"},
		"X-Original-Url":        {c.parts.AuthURL + "/"},
		"X-Forwarded-Uri":       {"/public"},
	})
	if err != nil {
		return err
	}
	var seen stack.Seen
	if err := json.Unmarshal([]byte(page.Body), &seen); err != nil {
		return fmt.Errorf("status %d: %w", page.Status, err)
	}
	for name, want := range map[string]string{
		"X-Auth-Request-Email":  stack.Ada,
		"X-Auth-Request-Name":   "Ada",
		"X-Auth-Request-Groups": "",
	} {
		if got := strings.Join(seen.Headers[name], " and "); got != want {
			return fmt.Errorf("the app got %s: %q, want %q", name, got, want)
		}
	}
	return nil
}

func (c *check) form(ctx context.Context) error {
	page, err := c.ada.Submit(ctx, c.page, nil)
	if err != nil {
		return err
	}
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "POST /submit") {
		return fmt.Errorf("ended at %s with %d", page.URL, page.Status)
	}
	return nil
}

func (c *check) otherDomain(ctx context.Context) error {
	page, err := c.eve.Open(ctx, c.parts.AppURL+"/")
	if err != nil {
		return err
	}
	page, err = c.eve.SignIn(ctx, page, stack.Eve)
	if err != nil {
		return err
	}
	if err := refused(page); err != nil {
		return err
	}
	page, err = c.eve.Open(ctx, c.parts.AppURL+"/again") // now by the gateway, not after a login
	if err != nil {
		return err
	}
	return refused(page)
}

// refused checks for the page that names Eve.
func refused(page stack.Page) error {
	if page.Status != http.StatusForbidden || !strings.Contains(page.Body, stack.Eve) {
		return fmt.Errorf("ended at %s with %d; want 403 and a page that names %s", page.URL.Redacted(), page.Status, stack.Eve)
	}
	return nil
}

func (c *check) signOut(ctx context.Context) error {
	req := c.parts.AuthURL + "/sign_out?rd=" + c.parts.AppURL + "/"
	page, err := c.ada.OpenLink(ctx, c.page, req)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(page.URL.String(), c.parts.Dex.Issuer()) {
		return fmt.Errorf("ended at %s with %d; want the provider's sign-in page", page.URL.Redacted(), page.Status)
	}
	return nil
}
