package gateway

import (
	"net/http"
	"net/netip"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"

	"github.com/doorward/doorward/internal/auth"
)

// GRPC is the dialect of Envoy's gRPC ext_authz (envoy.service.auth.v3). Method,
// scheme, host and path come from Envoy itself and cannot be forged by a client.
type GRPC struct {
	Settings
	Direct
}

// Read returns the request that Envoy asks about. The error is always a
// *Refusal. peer is the address that the question came from.
func (g GRPC) Read(peer string, check *authv3.CheckRequest) (auth.Request, error) {
	if !g.Proxies.Trust(peer) {
		return auth.Request{}, &Refusal{Reason: auth.UntrustedPeer}
	}
	asked := check.GetAttributes().GetRequest().GetHttp()
	var req auth.Request
	req.Scheme = webScheme(asked.GetScheme())
	switch {
	case asked == nil:
		return auth.Request{}, &Refusal{auth.MissingHeaders, "attributes.request.http"}
	case !isToken(asked.GetMethod()):
		return auth.Request{}, &Refusal{auth.MalformedHeaders, "method"}
	case req.Scheme == "":
		return auth.Request{}, &Refusal{auth.MalformedHeaders, "scheme"}
	case !readAuthority(asked.GetHost(), &req):
		return auth.Request{}, &Refusal{auth.MalformedHeaders, "host"}
	case !readTarget(asked.GetPath(), &req):
		return auth.Request{}, &Refusal{auth.MalformedHeaders, "path"}
	}
	req.Method = asked.GetMethod()
	g.describe(passedOn(asked), &req)
	source := check.GetAttributes().GetSource().GetAddress().GetSocketAddress().GetAddress()
	client, _ := netip.ParseAddr(source)
	req.Client = client.Unmap()
	return req, nil
}

// passedOn are the headers of a request that a check looks at. Envoy writes them
// in lower case, either as a map with repeated ones joined by commas or, with
// encode_raw_headers, one by one.
func passedOn(asked *authv3.AttributeContext_HttpRequest) http.Header {
	h := http.Header{}
	headers := asked.GetHeaders()
	for _, looked := range [...]struct{ name, key string }{
		{"cookie", "Cookie"}, {"authorization", "Authorization"}, {"accept", "Accept"},
		{"sec-fetch-mode", "Sec-Fetch-Mode"}, {"x-requested-with", "X-Requested-With"},
		{"sec-websocket-key", "Sec-Websocket-Key"}, {"content-type", "Content-Type"},
		{"x-request-id", "X-Request-Id"}, {"origin", "Origin"},
		{"access-control-request-method", "Access-Control-Request-Method"},
	} {
		if value, ok := headers[looked.name]; ok {
			h[looked.key] = []string{value}
		}
	}
	for _, header := range asked.GetHeaderMap().GetHeaders() {
		value := header.GetValue()
		if raw := header.GetRawValue(); len(raw) > 0 {
			value = string(raw)
		}
		h.Add(header.GetKey(), value)
	}
	return h
}

// Answer returns the decision as Envoy wants it: the identity headers of an
// allow, which replace whatever the client sent, or the whole answer of a denial.
func (g GRPC) Answer(req auth.Request, d auth.Decision) *authv3.CheckResponse {
	if d.Verdict == auth.Allow {
		return allowed(d.Identity)
	}
	h := http.Header{}
	g.explain(h, d)
	code, body := g.answer(h, req, d, http.StatusOK)
	denied := &authv3.DeniedHttpResponse{
		Status: &typev3.HttpStatus{Code: typev3.StatusCode(code)}, // #nosec G115 -- a status has three digits
		Body:   string(body),
	}
	for name, values := range h {
		for _, value := range values {
			denied.Headers = append(denied.Headers, set(name, value))
		}
	}
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(grpcCode(d.Verdict))}, // #nosec G115 -- a code below 17
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: denied},
	}
}

func allowed(identity auth.Identity) *authv3.CheckResponse {
	ok := &authv3.OkHttpResponse{Headers: make([]*corev3.HeaderValueOption, 0, len(identity.Headers))}
	for _, header := range identity.Headers {
		ok.Headers = append(ok.Headers, set(header.Name, header.Value[0]))
	}
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: ok},
	}
}

// set is a header that replaces one of its name, also by an empty value.
func set(name, value string) *corev3.HeaderValueOption {
	return &corev3.HeaderValueOption{
		Header:         &corev3.HeaderValue{Key: name, Value: value},
		AppendAction:   corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD,
		KeepEmptyValue: true,
	}
}

func grpcCode(v auth.Verdict) codes.Code {
	switch v {
	case auth.Allow:
		return codes.OK
	case auth.SignIn, auth.BadToken:
		return codes.Unauthenticated
	case auth.Unknown:
		return codes.Unavailable
	default:
		return codes.PermissionDenied
	}
}
