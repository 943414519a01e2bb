package stack

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/yaml"
)

// kubernetes is as much of an API server as a gateway reads its configuration
// from: it lists and watches objects, and takes updates without keeping them.
type kubernetes struct {
	objects []object
	server  *http.Server
	url     string

	mu  sync.Mutex
	log *os.File
}

// object is a resource as JSON says it.
type object map[string]any

func (o object) text(path ...string) string {
	var at any = map[string]any(o)
	for _, name := range path {
		fields, _ := at.(map[string]any)
		at = fields[name]
	}
	text, _ := at.(string)
	return text
}

// newKubernetes serves the objects of the files, each with any number of them,
// and logs what it is asked.
func newKubernetes(log string, files ...string) (*kubernetes, error) {
	k := &kubernetes{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for i, document := range strings.Split(string(text), "\n---\n") {
			var o object
			if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			metadata, _ := o["metadata"].(map[string]any)
			metadata["uid"] = fmt.Sprintf("%s-%d", filepath.Base(file), i)
			metadata["resourceVersion"] = "1"
			k.objects = append(k.objects, o)
		}
	}
	var err error
	if k.log, err = os.Create(log); err != nil { // #nosec G304 -- in the run's directory
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	k.url = "http://" + listener.Addr().String()
	k.server = &http.Server{Handler: k, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = k.server.Serve(listener) }() // ends with stop
	return k, nil
}

func (k *kubernetes) stop() error {
	err := k.server.Close()
	k.mu.Lock()
	defer k.mu.Unlock()
	_ = k.log.Close()
	return err
}

func (k *kubernetes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	_, _ = fmt.Fprintln(k.log, r.Method, r.RequestURI)
	k.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	wanted, ok := resource(r.URL.Path)
	if !ok || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(object{
			"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "NotFound", "code": http.StatusNotFound,
		})
		return
	}
	found := k.find(wanted)
	query := r.URL.Query()
	switch {
	case query.Get("watch") != "":
		watch(w, r, wanted, found, query.Get("sendInitialEvents") == "true")
	case wanted.name != "" && len(found) == 1:
		_ = json.NewEncoder(w).Encode(found[0])
	case wanted.name != "":
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(object{"apiVersion": "v1", "kind": "Status", "reason": "NotFound", "code": 404})
	default:
		_ = json.NewEncoder(w).Encode(object{
			"apiVersion": wanted.version, "kind": wanted.kind + "List", "metadata": object{"resourceVersion": "1"}, "items": found,
		})
	}
}

// asked is what a path of the API names.
type asked struct {
	version   string // "v1", "networking.k8s.io/v1"
	kind      string
	namespace string // "" is all of them
	name      string // "" is all of them
}

// resource reads /api/v1/… and /apis/GROUP/VERSION/….
func resource(path string) (asked, bool) {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	var a asked
	switch {
	case len(parts) > 2 && parts[0] == "api":
		a.version, parts = parts[1], parts[2:]
	case len(parts) > 3 && parts[0] == "apis":
		a.version, parts = parts[1]+"/"+parts[2], parts[3:]
	default:
		return asked{}, false
	}
	if len(parts) > 2 && parts[0] == "namespaces" {
		a.namespace, parts = parts[1], parts[2:]
	}
	a.kind = kindOf(parts[0])
	if len(parts) > 1 {
		a.name = parts[1]
	}
	return a, a.kind != "" && len(parts) < 3
}

// kindOf are the kinds of objects that are asked for, by their names in paths.
func kindOf(plural string) string {
	return map[string]string{
		"configmaps": "ConfigMap", "endpointslices": "EndpointSlice", "namespaces": "Namespace", "nodes": "Node",
		"secrets": "Secret", "services": "Service", "ingressclasses": "IngressClass", "ingresses": "Ingress",
		"ingressroutes": "IngressRoute", "ingressroutetcps": "IngressRouteTCP", "ingressrouteudps": "IngressRouteUDP",
		"middlewares": "Middleware", "middlewaretcps": "MiddlewareTCP", "tlsoptions": "TLSOption", "tlsstores": "TLSStore",
		"traefikservices": "TraefikService", "serverstransports": "ServersTransport", "serverstransporttcps": "ServersTransportTCP",
	}[plural]
}

func (k *kubernetes) find(a asked) []object {
	found := []object{} // a list is never null
	for _, o := range k.objects {
		if o.text("kind") == a.kind && o.text("apiVersion") == a.version &&
			(a.namespace == "" || o.text("metadata", "namespace") == a.namespace) &&
			(a.name == "" || o.text("metadata", "name") == a.name) {
			found = append(found, o)
		}
	}
	return found
}

// watch tells what there is, when it is asked to, and then stays silent: nothing
// ever changes.
func watch(w http.ResponseWriter, r *http.Request, a asked, found []object, initial bool) {
	tell := func(event string, o object) {
		_ = json.NewEncoder(w).Encode(object{"type": event, "object": o})
	}
	if initial {
		for _, o := range found {
			tell("ADDED", o)
		}
		tell("BOOKMARK", object{"apiVersion": a.version, "kind": a.kind, "metadata": object{
			"resourceVersion": "1", "annotations": object{"k8s.io/initial-events-end": "true"},
		}})
	}
	if flusher, ok := w.(http.Flusher); ok {
		flusher.Flush()
	}
	<-r.Context().Done()
}
