package stack

import (
	"context"
	"net/http"
)

// AddAudience gives a client of a realm an audience mapper, as an administrator
// does on the client's page: from then on its access tokens name the audience.
func (k *Keycloak) AddAudience(ctx context.Context, realm, client, audience string) error {
	admin, err := k.admin(ctx)
	if err != nil {
		return err
	}
	id, err := admin.id(ctx, "/"+realm+"/clients?clientId="+client)
	if err != nil {
		return err
	}
	return admin.send(ctx, http.MethodPost, "/"+realm+"/clients/"+id+"/protocol-mappers/models", map[string]any{
		"name": "audience " + audience, "protocol": "openid-connect", "protocolMapper": "oidc-audience-mapper",
		"config": map[string]string{
			"included.custom.audience": audience, "access.token.claim": "true", "id.token.claim": "false",
		},
	})
}
