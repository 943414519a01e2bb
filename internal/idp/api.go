package idp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/doorward/doorward/internal/secret"
)

const (
	partAPI    = "the provider's API"
	maxPages   = 100    // of one list
	maxEntries = 10_000 // of one list
)

// askAPI asks one address of the provider's own API with an access token, and
// returns an answer with status 200. An *UnavailableError says to ask again later,
// which a company's limit of requests is too, whatever its status; another error
// means that asking again does not help. None of them repeats the body.
func (p *Provider) askAPI(ctx context.Context, req *http.Request, access secret.Secret) (reply, error) {
	req = req.WithContext(ctx)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+access.Reveal())
	resp, err := do(p.client, req)
	switch {
	case errors.Is(err, errBodyTooLarge):
		return reply{}, errBodyTooLarge
	case err != nil:
		return reply{}, unavailable(partAPI, err)
	case transient(resp.status) || resp.limited():
		down := unavailable(partAPI, &statusError{resp.status})
		if seconds, err := strconv.Atoi(resp.header.Get("Retry-After")); err == nil && seconds > 0 {
			down.RetryAfter = min(time.Duration(seconds)*time.Second, 5*time.Minute)
		}
		return reply{}, down
	case resp.status != http.StatusOK:
		return reply{}, &statusError{resp.status}
	}
	return resp, nil
}

// limited reports whether a refusal is about the number of requests alone: GitHub
// says so with 403.
func (r reply) limited() bool {
	return r.status == http.StatusForbidden && (r.header.Get("Retry-After") != "" || r.header.Get("X-Ratelimit-Remaining") == "0")
}

// later reports whether asking again may help.
func later(err error) bool {
	_, down := errors.AsType[*UnavailableError](err)
	return down
}

// page reads one page of a list: its entries, and the address of the next one, ""
// for the last.
type page func(url string) (entries []string, next string, err error)

// list reads a list page by page. Addresses of pages that are not below base are
// refused: the access token goes with the request. So are lists without an end.
func list(base, first string, read page) ([]string, error) {
	var all, asked []string
	for next := first; next != ""; {
		if !below(base, next) || slices.Contains(asked, next) {
			return nil, errors.New("the next page of a list is not another one of the same API")
		}
		if len(asked) == maxPages || len(all) > maxEntries {
			return nil, fmt.Errorf("a list has more than %d pages or %d entries", maxPages, maxEntries)
		}
		asked = append(asked, next)
		var entries []string
		var err error
		if entries, next, err = read(next); err != nil {
			return nil, err
		}
		all = append(all, entries...)
	}
	return all, nil
}

// below reports whether an address is of the same scheme and host as base, and on
// a path below it.
func below(base, address string) bool {
	b, baseErr := url.Parse(base)
	a, err := url.Parse(address)
	return baseErr == nil && err == nil && a.Scheme == b.Scheme && a.Host == b.Host && a.User == nil &&
		strings.HasPrefix(a.EscapedPath(), strings.TrimSuffix(b.EscapedPath(), "/")+"/") && !strings.Contains(a.Path, "/../")
}

// nextLink is the address of the next page that a Link header names (RFC 8288),
// "" when there is none.
func nextLink(header http.Header) string {
	for link := range strings.SplitSeq(strings.Join(header.Values("Link"), ","), ",") {
		address, params, found := strings.Cut(strings.TrimSpace(link), ">")
		if !found || !strings.HasPrefix(address, "<") {
			continue
		}
		for param := range strings.SplitSeq(params, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(param), "=")
			if strings.EqualFold(name, "rel") && slices.Contains(strings.Fields(strings.Trim(value, `"`)), "next") {
				return address[1:]
			}
		}
	}
	return ""
}

// objects are the entries of a list, each of which is an object.
func objects(value any) ([]claims, error) {
	array, ok := value.([]any)
	if !ok {
		return nil, errors.New("the list is no array")
	}
	list := make([]claims, len(array))
	for i, element := range array {
		object, ok := element.(map[string]any)
		if !ok {
			return nil, errors.New("an entry of the list is no object")
		}
		list[i] = object
	}
	return list, nil
}

// namesAt is a text of each object, at the first of the paths that has one. Every
// object has to have it.
func namesAt(list []claims, paths ...string) ([]string, error) {
	names := make([]string, len(list))
	for i, object := range list {
		for _, path := range paths {
			if value, there := object.lookup(path); there && names[i] == "" {
				names[i], _ = value.(string)
			}
		}
		if names[i] == "" || len(names[i]) > maxName {
			return nil, fmt.Errorf("an entry of the list has no %s", paths[0])
		}
	}
	return names, nil
}
