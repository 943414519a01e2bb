package idp

import (
	"context"
	"net/url"
)

const partPushed = "endpoint for pushed authorization requests"

// push sends an authorization request to the provider itself and returns what the
// browser takes there instead (RFC 9126 2). It waits no longer than a login waits
// for discovery: somebody is looking at an empty page.
func (p *Provider) push(ctx context.Context, meta *metadata, request url.Values) (url.Values, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	resp, err := p.post(ctx, meta, meta.pushURL, request)
	if err != nil {
		return nil, endpointError(partPushed, err)
	}
	members, err := resp.members("pushed authorization request", partPushed)
	if err != nil {
		return nil, err
	}
	uri, err := members.text("request_uri")
	if err != nil || uri == "" || len(uri) > 512 {
		return nil, invalid(ReasonTokenResponse, "the answer of the %s holds no request_uri", partPushed)
	}
	return url.Values{"client_id": {p.conf.ClientID}, "request_uri": {uri}}, nil
}
