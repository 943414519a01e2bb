package idp

import (
	"context"
	"net/url"
	"strings"
)

const partPushed = "endpoint for pushed authorization requests"

// push sends the authorization request of an address to the provider itself and
// returns the address that the browser takes there instead (RFC 9126 2). It waits no
// longer than a login waits for discovery: somebody is looking at an empty page.
func (p *Provider) push(ctx context.Context, meta *metadata, address string) (string, error) {
	request, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := p.post(ctx, meta, meta.pushURL, request.Query())
	if err != nil {
		return "", endpointError(partPushed, err)
	}
	members, err := resp.members("pushed authorization request", partPushed)
	if err != nil {
		return "", err
	}
	uri, err := members.text("request_uri")
	if err != nil || uri == "" || len(uri) > 512 {
		return "", invalid(ReasonTokenResponse, "the answer of the %s holds no request_uri", partPushed)
	}
	return withQuery(meta.authURL, url.Values{"client_id": {p.conf.ClientID}, "request_uri": {uri}}), nil
}

// withQuery adds parameters to an address, which keeps its own (RFC 6749 3.1).
func withQuery(address string, params url.Values) string {
	if strings.Contains(address, "?") {
		return address + "&" + params.Encode()
	}
	return address + "?" + params.Encode()
}
