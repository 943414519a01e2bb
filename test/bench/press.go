package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// press asks as fast as the server answers, over a number of connections, from one
// thread that never sleeps. A client that sleeps has to be woken by the kernel in
// the name of the server: on a virtual machine that costs several microseconds for
// each answer, and more the longer the client slept, so that a slow server looks
// slower still.
func press(ctx context.Context, address string, status int, requests stream, limit time.Duration) (o outcome, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p := &pressing{requests: requests, lines: map[int32]*line{}, took: make([]time.Duration, 0, 1<<16)}
	if p.poll, err = unix.EpollCreate1(0); err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for range connections {
		l, err := connect(p.poll, address, status)
		if err != nil {
			return o, err
		}
		p.lines[l.fd] = l
	}
	began := time.Now()
	for _, l := range p.lines {
		if err := p.ask(l); err != nil {
			return o, err
		}
	}
	for now := began; ctx.Err() == nil && (now.Sub(began) < limit || len(p.took) == 0); now = time.Now() {
		if now.Sub(began) > limit+patience {
			return o, fmt.Errorf("%s answered nothing in %s", address, limit+patience)
		}
		if err := p.turn(); err != nil {
			return o, err
		}
	}
	return summarise(p.took, time.Since(began)), ctx.Err()
}

// patience is how long a server may take for its first answer on a busy machine.
const patience = 10 * time.Second

// pressing is a press that goes on.
type pressing struct {
	requests stream
	asked    int
	poll     int // of the kernel
	lines    map[int32]*line
	took     []time.Duration
}

func (p *pressing) ask(l *line) error {
	p.asked++
	return l.ask(p.requests(p.asked - 1))
}

// turn takes the answers that are there, and asks again.
func (p *pressing) turn() error {
	var events [connections]unix.EpollEvent
	ready, err := unix.EpollWait(p.poll, events[:], 0)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return err
	}
	for _, event := range events[:max(ready, 0)] {
		l := p.lines[event.Fd]
		whole, err := l.read()
		if err != nil {
			return err
		}
		if !whole {
			continue
		}
		p.took = append(p.took, time.Since(l.asked))
		if err := p.ask(l); err != nil {
			return err
		}
	}
	return nil
}

func (p *pressing) close() error {
	err := unix.Close(p.poll)
	for fd := range p.lines {
		err = errors.Join(err, unix.Close(int(fd)))
	}
	return err
}

// line is a connection of a press.
type line struct {
	fd     int32
	begins []byte // what every answer begins with
	asked  time.Time
	answer []byte
}

func connect(poll int, address string, status int) (*line, error) {
	tcp, err := net.ResolveTCPAddr("tcp4", address)
	if err != nil {
		return nil, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	err = errors.Join(
		unix.Connect(fd, &unix.SockaddrInet4{Port: tcp.Port, Addr: [4]byte(tcp.IP.To4())}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.EpollCtl(poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}),
	)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connect to %s: %w", address, err), unix.Close(fd))
	}
	return &line{fd: int32(fd), begins: []byte("HTTP/1.1 " + strconv.Itoa(status) + " ")}, nil
}

// ask sends a request, which the kernel takes as a whole: there is room.
func (l *line) ask(request []byte) error {
	l.answer, l.asked = l.answer[:0], time.Now()
	n, err := unix.Write(int(l.fd), request)
	if err == nil && n < len(request) {
		err = errors.New("a request went out in part")
	}
	return err
}

// read takes what is there, and reports whether the answer is whole.
func (l *line) read() (bool, error) {
	var room [8 << 10]byte
	n, err := unix.Read(int(l.fd), room[:])
	if err != nil {
		return false, err
	}
	l.answer = append(l.answer, room[:n]...)
	if n == 0 {
		return false, fmt.Errorf("the connection was closed after %.80q", l.answer)
	}
	head, body, ended := bytes.Cut(l.answer, []byte("\r\n\r\n"))
	if !ended {
		return false, nil
	}
	if !bytes.HasPrefix(head, l.begins) {
		return false, fmt.Errorf("the answer is %.40q, want %s", head, l.begins)
	}
	if bytes.Contains(head, []byte("\r\nTransfer-Encoding: chunked")) {
		return bytes.HasSuffix(body, []byte("0\r\n\r\n")), nil
	}
	length := 0
	if _, rest, there := bytes.Cut(head, []byte("\r\nContent-Length: ")); there {
		digits, _, _ := bytes.Cut(rest, []byte("\r\n"))
		if length, err = strconv.Atoi(string(digits)); err != nil {
			return false, err
		}
	}
	return len(body) >= length, nil
}
