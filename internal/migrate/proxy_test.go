package migrate

import (
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
)

// cutAfter says which half of a conversation is lost.
type cutAfter int

const (
	lostRequest cutAfter = iota // the server never sees it
	lostReply                   // the server has acted on it
	silence                     // nothing passes any more, and nothing closes
)

// proxy forwards connections to a PostgreSQL server and cuts all of them at the
// n-th message that clients send, once.
type proxy struct {
	server string
	cut    int
	how    cutAfter

	// silent ends when silence begins.
	silent context.Context // a signal
	hush   context.CancelFunc

	mu       sync.Mutex
	messages int
	conns    map[net.Conn]bool
}

// startProxy returns a proxy before the server of a URL, and the URL through it.
func startProxy(t *testing.T, databaseURL string, cut int, how cutAfter) (*proxy, string) {
	t.Helper()
	u, err := url.Parse(databaseURL)
	if err != nil {
		t.Fatal(err)
	}
	var config net.ListenConfig
	listener, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{server: u.Host, cut: cut, how: how, conns: map[net.Conn]bool{}}
	p.silent, p.hush = context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		if err := listener.Close(); err != nil {
			t.Error(err)
		}
		p.closeAll()
		wg.Wait()
	})
	u.Host = listener.Addr().String()
	return p, u.String()
}

func (p *proxy) serve(client net.Conn) {
	var dialer net.Dialer
	server, err := dialer.Dial("tcp", p.server)
	if err != nil {
		_ = client.Close()
		return
	}
	p.mu.Lock()
	p.conns[client], p.conns[server] = true, true
	p.mu.Unlock()
	replied := make(chan struct{}, 1)
	var wg sync.WaitGroup
	wg.Go(func() { p.replies(server, client, replied) })
	p.requests(client, server, replied)
	_, _ = client.Close(), server.Close()
	wg.Wait()
}

func (p *proxy) requests(client, server net.Conn, replied chan struct{}) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := client.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		p.messages++
		cut := p.messages == p.cut
		quiet := p.how == silence && p.messages >= p.cut
		p.mu.Unlock()
		if quiet {
			p.hush()
			continue
		}
		if cut && p.how == lostRequest {
			p.closeAll()
			return
		}
		if cut {
			drain(replied)
		}
		if _, err := server.Write(buffer[:n]); err != nil {
			return
		}
		if cut {
			<-replied
			p.closeAll()
			return
		}
	}
}

func drain(c chan struct{}) {
	select {
	case <-c:
	default:
	}
}

// replies forwards what the server says, unless the connection is to be cut
// before the reply.
func (p *proxy) replies(server, client net.Conn, replied chan struct{}) {
	defer close(replied)
	buffer := make([]byte, 1<<16)
	for {
		n, err := server.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		lost := p.how == lostReply && p.messages == p.cut
		p.mu.Unlock()
		select {
		case replied <- struct{}{}:
		default:
		}
		if lost {
			continue
		}
		if _, err := client.Write(buffer[:n]); err != nil && !errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

func (p *proxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
	}
	p.conns = map[net.Conn]bool{}
}

// reached reports whether the cut has happened.
func (p *proxy) reached() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.messages >= p.cut
}
