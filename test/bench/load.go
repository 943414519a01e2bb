package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// wire is a connection on which checks are asked one after the other.
type wire struct {
	conn   net.Conn
	answer *bufio.Reader
	status []byte // that every answer must have, "202"
}

func dial(ctx context.Context, address string, status int) (*wire, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &wire{conn: conn, answer: bufio.NewReaderSize(conn, 8<<10), status: []byte(strconv.Itoa(status))}, nil
}

// ask sends a request and reads the answer.
func (w *wire) ask(request []byte) error {
	if _, err := w.conn.Write(request); err != nil {
		return err
	}
	line, err := w.answer.ReadSlice('\n')
	if err != nil {
		return err
	}
	if _, rest, ok := bytes.Cut(line, []byte(" ")); !ok || !bytes.HasPrefix(rest, w.status) {
		return fmt.Errorf("the answer is %.40q, want %s", line, w.status)
	}
	length := 0
	for {
		line, err := w.answer.ReadSlice('\n')
		if err != nil {
			return err
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(line) <= 2 {
			_, err := w.answer.Discard(length)
			return err
		}
	}
}

// stream makes the requests of a load: the one with a number.
type stream func(n int) []byte

// always is a stream of one request.
func always(request []byte) stream { return func(int) []byte { return request } }

// flood asks as fast as the server answers, over a number of connections, until
// count requests are answered or the time is up; 0 is no bound.
func flood(ctx context.Context, address string, status int, requests stream, count int, limit time.Duration) (outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var mu sync.Mutex
	var took []time.Duration
	var all sync.WaitGroup
	began := time.Now()
	for range connections {
		w, err := dial(ctx, address, status)
		if err != nil {
			cancel(err)
			break
		}
		all.Go(func() {
			defer w.conn.Close()
			var mine []time.Duration
			for ctx.Err() == nil && (limit == 0 || time.Since(began) < limit) {
				n := int(next.Add(1)) - 1
				if count > 0 && n >= count {
					break
				}
				asked := time.Now()
				if err := w.ask(requests(n)); err != nil {
					cancel(err)
					break
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

func summarise(took []time.Duration, total time.Duration) outcome {
	slices.Sort(took)
	return outcome{
		checks: len(took), rate: float64(len(took)) / total.Seconds(),
		p50: quantile(took, 0.50), p99: quantile(took, 0.99),
	}
}

// quantile of sorted values.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(float64(len(sorted))*q), len(sorted)-1)]
}

// cost is what count requests cost a server, or as many as it answers in limit
// when count is 0.
func (h *house) cost(ctx context.Context, s *server, requests stream, count int, limit time.Duration) (slice, error) {
	var one slice
	before, err := spent(s.process.PID())
	if err != nil {
		return one, err
	}
	switch {
	case count == 0 && !h.smoke:
		one.outcome, err = press(ctx, s.address, http.StatusAccepted, requests, limit)
	default:
		one.outcome, err = flood(ctx, s.address, http.StatusAccepted, requests, count, limit)
	}
	if err != nil {
		return one, fmt.Errorf("%s: %w", s.name, err)
	}
	after, err := spent(s.process.PID())
	one.cpu = (after - before) / time.Duration(max(one.checks, 1))
	return one, err
}
