package stack

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
)

// TestRealm is the name of the realm in testdata/keycloak-realm.json.
const TestRealm = "Test-oidc"

// Realm is a set of people, groups and roles, with a client for Doorward as
// deploy/keycloak has it. The people are Ada, who is in the groups staff and ops,
// has the realm role engineer and the client role on-call; Bob, whose address is
// not verified; and Eve. Their names are what stands before the @.
type Realm struct {
	Name string

	// Frontend is the origin by which browsers know Keycloak, and which tokens
	// carry. Empty: whatever the request says.
	Frontend string

	AuthURL      string // origin of Doorward's pages
	Prefix       string // of Doorward's paths
	BackChannel  string // origin by which Keycloak reaches Doorward; empty: it does not
	ClientSecret string // Doorward's
}

// Import makes the realm.
func (k *Keycloak) Import(ctx context.Context, r Realm) error {
	realm, err := representation("test", "stack", "testdata", "keycloak-realm.json")
	if err != nil {
		return err
	}
	realm["realm"] = r.Name
	if r.Frontend != "" {
		realm["attributes"] = map[string]any{"frontendUrl": r.Frontend}
	}
	admin, err := k.admin(ctx)
	if err != nil {
		return err
	}
	if err := admin.send(ctx, http.MethodPost, "", realm); err != nil {
		return err
	}
	scope, err := representation("deploy", "keycloak", "scope.json")
	if err != nil {
		return err
	}
	if err := admin.send(ctx, http.MethodPost, "/"+r.Name+"/client-scopes", scope); err != nil {
		return err
	}
	return r.addClient(ctx, admin)
}

// Register registers Doorward anew in a realm that was imported, which takes less
// time than another realm. Sessions go on.
func (k *Keycloak) Register(ctx context.Context, r Realm) error {
	admin, err := k.admin(ctx)
	if err != nil {
		return err
	}
	id, err := admin.id(ctx, "/"+r.Name+"/clients?clientId="+ClientID)
	if err != nil {
		return err
	}
	if err := admin.send(ctx, http.MethodDelete, "/"+r.Name+"/clients/"+id, nil); err != nil {
		return err
	}
	return r.addClient(ctx, admin)
}

// addClient registers Doorward, and gives Ada a role of that client.
func (r Realm) addClient(ctx context.Context, admin *keycloakAdmin) error {
	client, err := representation("deploy", "keycloak", "client.json")
	if err != nil {
		return err
	}
	client["secret"] = r.ClientSecret
	client["redirectUris"] = []string{r.AuthURL + r.Prefix + "/callback"}
	attributes := maps.Clone(client["attributes"].(map[string]any))
	attributes["post.logout.redirect.uris"] = r.AuthURL + r.Prefix + "/sign_out"
	delete(attributes, "backchannel.logout.url")
	if r.BackChannel != "" {
		attributes["backchannel.logout.url"] = r.BackChannel + r.Prefix + "/backchannel_logout"
	}
	client["attributes"] = attributes
	at := "/" + r.Name
	if err := admin.send(ctx, http.MethodPost, at+"/clients", client); err != nil {
		return err
	}
	id, err := admin.id(ctx, at+"/clients?clientId="+ClientID)
	if err != nil {
		return err
	}
	user, err := admin.user(ctx, r.Name, Ada)
	if err != nil {
		return err
	}
	roles := at + "/clients/" + id + "/roles"
	if err := admin.send(ctx, http.MethodPost, roles, map[string]any{"name": "on-call"}); err != nil {
		return err
	}
	var role map[string]any
	if err := admin.get(ctx, roles+"/on-call", &role); err != nil {
		return err
	}
	return admin.send(ctx, http.MethodPost, at+"/users/"+user+"/role-mappings/clients/"+id, []any{role})
}

// representation is a file of the repository that has what the admin interface
// takes.
func representation(path ...string) (map[string]any, error) {
	root, err := Root()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(root, filepath.Join(path...)))
	if err != nil {
		return nil, fmt.Errorf("stack: keycloak: %w", err)
	}
	var fields map[string]any
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("stack: keycloak: %s: %w", path, err)
	}
	return fields, nil
}
