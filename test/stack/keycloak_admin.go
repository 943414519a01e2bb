package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// LogOut ends all sessions of somebody in a realm, as its administrator does on
// the user's page.
func (k *Keycloak) LogOut(ctx context.Context, realm, email string) error {
	admin, err := k.admin(ctx)
	if err != nil {
		return err
	}
	user, err := admin.user(ctx, realm, email)
	if err != nil {
		return err
	}
	return admin.send(ctx, http.MethodPost, "/"+realm+"/users/"+user+"/logout", nil)
}

// Sessions are the ids of somebody's sessions in a realm, `sid` of their tokens.
func (k *Keycloak) Sessions(ctx context.Context, realm, email string) ([]string, error) {
	admin, err := k.admin(ctx)
	if err != nil {
		return nil, err
	}
	user, err := admin.user(ctx, realm, email)
	if err != nil {
		return nil, err
	}
	var found []struct {
		ID string `json:"id"`
	}
	if err := admin.get(ctx, "/"+realm+"/users/"+user+"/sessions", &found); err != nil {
		return nil, err
	}
	var ids []string
	for _, session := range found {
		ids = append(ids, session.ID)
	}
	return ids, nil
}

// EndSession ends one session, as the administrator does in the realm's list.
func (k *Keycloak) EndSession(ctx context.Context, realm, id string) error {
	admin, err := k.admin(ctx)
	if err != nil {
		return err
	}
	return admin.send(ctx, http.MethodDelete, "/"+realm+"/sessions/"+id, nil)
}

// keycloakAdmin speaks to the admin interface for as long as its token is good, a
// minute.
type keycloakAdmin struct {
	base  string
	token string
}

func (k *Keycloak) admin(ctx context.Context) (*keycloakAdmin, error) {
	form := url.Values{
		"grant_type": {"password"}, "client_id": {"admin-cli"},
		"username": {"admin"}, "password": {k.password},
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, k.Issuer("master")+"/protocol/openid-connect/token",
		strings.NewReader(form.Encode()))
	if err != nil {
		return nil, fmt.Errorf("stack: keycloak: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := exchange(req, &answer); err != nil {
		return nil, err
	}
	return &keycloakAdmin{base: k.URL() + "/admin/realms", token: answer.AccessToken}, nil
}

// send sends a representation, nil for none, to a path below /admin/realms.
func (a *keycloakAdmin) send(ctx context.Context, method, path string, representation any) error {
	body, err := json.Marshal(representation)
	if err != nil {
		return fmt.Errorf("stack: keycloak: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.base+path, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("stack: keycloak: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.token)
	return exchange(req, nil)
}

func (a *keycloakAdmin) get(ctx context.Context, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, a.base+path, nil)
	if err != nil {
		return fmt.Errorf("stack: keycloak: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+a.token)
	return exchange(req, into)
}

// id is that of the one thing that a search finds.
func (a *keycloakAdmin) id(ctx context.Context, search string) (string, error) {
	var found []struct {
		ID string `json:"id"`
	}
	if err := a.get(ctx, search, &found); err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", fmt.Errorf("stack: keycloak: %s finds %d, want one", search, len(found))
	}
	return found[0].ID, nil
}

func (a *keycloakAdmin) user(ctx context.Context, realm, email string) (string, error) {
	return a.id(ctx, "/"+realm+"/users?exact=true&email="+url.QueryEscape(email))
}

// exchange sends a request, wants a 2xx, and decodes the answer unless into is
// nil.
func exchange(req *http.Request, into any) error {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("stack: keycloak: %w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("stack: keycloak: %w", err)
	}
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("stack: keycloak: %s %s: %s: %.300s", req.Method, req.URL.Path, res.Status, body)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("stack: keycloak: %s: %w", req.URL.Path, err)
	}
	return nil
}
