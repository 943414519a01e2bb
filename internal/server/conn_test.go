package server

import (
	"errors"
	"net"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// timers counts how often a timer of a connection is set.
type timers struct {
	net.Conn
	reads, writes int
}

func (t *timers) SetReadDeadline(at time.Time) error {
	t.reads++
	return t.Conn.SetReadDeadline(at)
}

func (t *timers) SetWriteDeadline(at time.Time) error {
	t.writes++
	return t.Conn.SetWriteDeadline(at)
}

// TestConnReads sets limits one after the other, waits before the last, and reads
// from somebody who says nothing.
func TestConnReads(t *testing.T) {
	const never = -1
	for _, tt := range []struct {
		name   string
		limits []time.Duration // from the beginning; never, or 0 for long ago
		ends   time.Duration   // when the read does; never: it goes on
		timers int
	}{
		{"LIM-1 one limit", []time.Duration{5 * time.Second}, 5 * time.Second, 1},
		{"LIM-1 later", []time.Duration{5 * time.Second, 10 * time.Second}, 10 * time.Second, 2},
		{"LIM-1 sooner", []time.Duration{10 * time.Second, 5 * time.Second}, 5 * time.Second, 2},
		{"LIM-1 later and sooner again", []time.Duration{5 * time.Second, 75 * time.Second, 6 * time.Second}, 6 * time.Second, 2},
		{"LIM-1 taken away", []time.Duration{5 * time.Second, never}, never, 2},
		{"LIM-1 taken away and set again", []time.Duration{5 * time.Second, never, 7 * time.Second}, 7 * time.Second, 2},
		{"LIM-1 at once", []time.Duration{5 * time.Second, 0}, 0, 2},
		{"LIM-1 at once, and then later", []time.Duration{5 * time.Second, 0, 8 * time.Second}, 8 * time.Second, 4},
		{"LIM-1 at once, and then never", []time.Duration{5 * time.Second, 0, never}, never, 4},
		{"LIM-1 never at all", []time.Duration{never}, never, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				counted := &timers{Conn: near}
				c := newConn(counted)
				began := time.Now()
				for _, limit := range tt.limits {
					at := began.Add(limit)
					switch limit {
					case never:
						at = time.Time{}
					case 0:
						at = longAgo
					}
					if err := c.SetReadDeadline(at); err != nil {
						t.Fatal(err)
					}
				}
				gone := time.AfterFunc(time.Hour, func() { _ = far.Close() })
				defer gone.Stop()
				_, err := c.Read(make([]byte, 1))
				took := time.Since(began)
				if tt.ends == never {
					if errors.Is(err, os.ErrDeadlineExceeded) || took != time.Hour {
						t.Errorf("ended after %s: %v", took, err)
					}
				} else if !errors.Is(err, os.ErrDeadlineExceeded) || took != tt.ends {
					t.Errorf("ended after %s, want %s: %v", took, tt.ends, err)
				}
				if counted.reads != tt.timers {
					t.Errorf("%d timers were set, want %d", counted.reads, tt.timers)
				}
				_ = near.Close()
			})
		})
	}
}

// TestConnRequests does what net/http does around each request.
func TestConnRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		counted := &timers{Conn: near}
		c := newConn(counted)
		const requests = 1000
		go func() {
			for range requests {
				time.Sleep(10 * time.Millisecond)
				_, _ = far.Write([]byte("?"))
			}
		}()
		for range requests {
			_ = c.SetReadDeadline(time.Now().Add(readHeaderTimeout))
			if n, err := c.Read(make([]byte, 64)); n != 1 || err != nil {
				t.Fatalf("a request is lost: %d, %v", n, err)
			}
			_ = c.SetReadDeadline(time.Now().Add(readTimeout))
			_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
			_ = c.SetReadDeadline(time.Time{})
			_ = c.SetReadDeadline(time.Now().Add(idleTimeout))
			_ = c.SetReadDeadline(time.Time{})
		}
		if counted.reads > 3 || counted.writes != 1 {
			t.Errorf("%d and %d timers were set for %d requests in ten seconds", counted.reads, counted.writes, requests)
		}
		_, _ = near.Close(), far.Close()
	})
}

// TestConnWrites writes to somebody who reads a part, stops, and goes on too late
// or not.
func TestConnWrites(t *testing.T) {
	for _, tt := range []struct {
		name    string
		pause   time.Duration // of the reader, after half of it
		written int
		err     error
	}{
		{"LIM-1 within the limit", 39 * time.Second, 8, nil},
		{"LIM-1 beyond it", 41 * time.Second, 4, os.ErrDeadlineExceeded},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				c := newConn(near)
				began := time.Now()
				for _, limit := range []time.Duration{10 * time.Second, 40 * time.Second} {
					if err := c.SetWriteDeadline(began.Add(limit)); err != nil {
						t.Fatal(err)
					}
				}
				got := make([]byte, 8)
				reader := make(chan struct{})
				go func() {
					defer close(reader)
					_, _ = far.Read(got[:4])
					time.Sleep(tt.pause)
					_, _ = far.Read(got[4:])
				}()
				n, err := c.Write([]byte("12345678"))
				if n != tt.written || !errors.Is(err, tt.err) {
					t.Errorf("wrote %d, %v; want %d, %v", n, err, tt.written, tt.err)
				}
				_ = near.Close()
				<-reader
				if string(got[:tt.written]) != "12345678"[:tt.written] {
					t.Errorf("what arrived is %q", got)
				}
			})
		})
	}
}
