package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/doorward/doorward/test/stack"
)

// envoyQuestion is a check as Envoy asks it over gRPC about a page load, with all
// headers of the request, framed as gRPC frames it.
func envoyQuestion(request []byte) ([]byte, error) {
	lines := strings.Split(strings.TrimSpace(string(request)), "\r\n")
	asked := &authv3.AttributeContext_HttpRequest{
		Id: "1", Method: http.MethodGet, Scheme: "https", Host: "app.bench.test", Path: strings.Fields(lines[0])[1],
		Protocol: "HTTP/1.1", Headers: map[string]string{},
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		asked.Headers[strings.ToLower(name)] = value
	}
	peer := &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
		SocketAddress: &corev3.SocketAddress{Address: "203.0.113.7", PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000}},
	}}}
	message, err := proto.Marshal(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: peer, Request: &authv3.AttributeContext_Request{Http: asked},
	}})
	if err != nil {
		return nil, err
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...), nil
}

// call is a connection on which checks are asked over gRPC, one after the other.
// It speaks just enough of HTTP/2, so that the server is busy and not the client.
type call struct {
	conn   net.Conn
	framer *http2.Framer
	out    bytes.Buffer // what the framer writes, sent at once
	head   []byte       // of every request, compressed
	stream uint32
	owed   uint32 // bytes of data that the server may send again
}

func newCall(ctx context.Context, address string) (*call, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	c := &call{conn: conn, stream: 1}
	c.framer = http2.NewFramer(&c.out, conn)
	c.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for _, field := range [][2]string{
		{":method", "POST"}, {":scheme", "http"}, {":path", "/envoy.service.auth.v3.Authorization/Check"}, {":authority", address},
		{"content-type", "application/grpc"}, {"te", "trailers"},
	} {
		// Never indexed, so that the same bytes mean the same each time.
		if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1], Sensitive: true}); err != nil {
			return nil, err
		}
	}
	c.head = head.Bytes()
	c.out.WriteString(http2.ClientPreface)
	return c, errors.Join(c.framer.WriteSettings(), c.flush())
}

func (c *call) flush() error {
	_, err := c.conn.Write(c.out.Bytes())
	c.out.Reset()
	return err
}

// ask sends a question and returns the answer's message.
func (c *call) ask(question []byte) ([]byte, error) {
	err := c.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: c.stream, BlockFragment: c.head, EndHeaders: true})
	if err == nil {
		err = c.framer.WriteData(c.stream, true, question)
	}
	if c.owed > 1<<14 {
		err = errors.Join(err, c.framer.WriteWindowUpdate(0, c.owed))
		c.owed = 0
	}
	if err = errors.Join(err, c.flush()); err != nil {
		return nil, err
	}
	c.stream += 2
	var message []byte
	for {
		frame, err := c.framer.ReadFrame()
		if err != nil {
			return nil, err
		}
		switch f := frame.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = errors.Join(c.framer.WriteSettingsAck(), c.flush())
			}
		case *http2.PingFrame:
			if !f.IsAck() {
				err = errors.Join(c.framer.WritePing(true, f.Data), c.flush())
			}
		case *http2.DataFrame:
			message = append(message, f.Data()...)
			c.owed += f.Length
		case *http2.MetaHeadersFrame:
			if f.StreamEnded() {
				return message, ended(f)
			}
		case *http2.GoAwayFrame, *http2.RSTStreamFrame:
			err = fmt.Errorf("the server has given up: %v", frame)
		}
		if err != nil {
			return nil, err
		}
	}
}

// ended is the error of a call that did not end well.
func ended(trailers *http2.MetaHeadersFrame) error {
	for _, field := range trailers.Fields {
		if field.Name == "grpc-status" && field.Value == "0" {
			return nil
		}
	}
	return fmt.Errorf("the call ended with %v", trailers.Fields)
}

// grpcConnections is how many connections Envoy would have.
const grpcConnections = 16

// calls asks over gRPC for a while. Every answer has to let the request pass.
func calls(ctx context.Context, address string, question []byte, limit time.Duration) (outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var mu sync.Mutex
	var took []time.Duration
	var passed atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for range grpcConnections {
		c, err := newCall(ctx, address)
		if err != nil {
			cancel(err)
			break
		}
		all.Go(func() {
			defer c.conn.Close()
			var mine []time.Duration
			for ctx.Err() == nil && time.Since(began) < limit {
				asked := time.Now()
				message, err := c.ask(question)
				if err == nil {
					err = passes(message, passed.Add(1))
				}
				if err != nil {
					cancel(err)
					return
				}
				mine = append(mine, time.Since(asked))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	all.Wait()
	if err := context.Cause(ctx); err != nil {
		return outcome{}, err
	}
	return summarise(took, time.Since(began)), nil
}

// passes looks at the answer of a check: its status is the first field, empty for
// OK. Every hundredth is taken apart as a whole.
func passes(message []byte, n int64) error {
	if n%100 != 1 {
		if len(message) < 7 || message[5] != 0x0a || message[6] != 0 {
			return fmt.Errorf("the answer is no OK: %.40x", message)
		}
		return nil
	}
	var answer authv3.CheckResponse
	if len(message) < 5 {
		return errors.New("the answer is empty")
	}
	if err := proto.Unmarshal(message[5:], &answer); err != nil {
		return err
	}
	if code := codes.Code(answer.GetStatus().GetCode()); code != codes.OK {
		return fmt.Errorf("the answer is %v", code)
	}
	return nil
}

// measureGRPC puts Doorward beside a bare grpc-go handler that answers OK.
func measureGRPC(ctx context.Context, h *house) (string, error) {
	defer h.stopAll()
	if err := pin(true); err != nil {
		return "", err
	}
	addresses, err := stack.FreeAddresses(0, 0)
	if err != nil {
		return "", err
	}
	bare, err := h.start(ctx, launch{name: "bare-grpc", command: []string{h.self, "bare-grpc", addresses[0]}, address: addresses[0], pinned: true})
	if err != nil {
		return "", err
	}
	d, err := h.doorward(ctx, houseRules, map[string]string{"DOORWARD_GRPC_LISTEN": addresses[1]}, true)
	if err != nil {
		return "", err
	}
	cookie, err := h.signIn(ctx, d)
	if err != nil {
		return "", err
	}
	question, err := envoyQuestion(browsed(grown, cookie))
	if err != nil {
		return "", err
	}
	d.address = addresses[1]
	slices := map[*server][]slice{}
	for round := range h.turns() {
		for _, s := range []*server{bare, d} {
			one, err := called(ctx, s, question, h.slice)
			if err != nil {
				return "", fmt.Errorf("%s: %w", s.name, err)
			}
			if round >= h.warmUps {
				slices[s] = append(slices[s], one)
			}
		}
	}
	return grpcTable(slices[bare], slices[d]), nil
}

// called is a load over gRPC, and what it cost the server.
func called(ctx context.Context, s *server, question []byte, limit time.Duration) (slice, error) {
	var one slice
	before, err := spent(s.process.PID())
	if err != nil {
		return one, err
	}
	if one.outcome, err = calls(ctx, s.address, question, limit); err != nil {
		return one, err
	}
	after, err := spent(s.process.PID())
	one.cpu = (after - before) / time.Duration(max(one.checks, 1))
	return one, err
}

func grpcTable(bare, doorward []slice) string {
	cpu := func(s slice) float64 { return s.cpu.Seconds() * 1e6 }
	var b strings.Builder
	b.WriteString("| check over gRPC | CPU, µs | to the first | checks/s | p50, ms | p99, ms |\n|---|---|---|---|---|---|\n")
	for _, row := range []struct {
		name   string
		slices []slice
	}{{"bare grpc-go handler", bare}, {"Doorward, cookie", doorward}} {
		fmt.Fprintf(&b, "| %s | %.1f | %s | %s | %s | %s |\n", row.name, median(each(row.slices, cpu)), ratios(row.slices, bare, cpu),
			thousands(median(each(row.slices, func(s slice) float64 { return s.rate }))),
			milliseconds(median(each(row.slices, func(s slice) float64 { return s.p50.Seconds() }))),
			milliseconds(median(each(row.slices, func(s slice) float64 { return s.p99.Seconds() }))))
	}
	return b.String()
}
