package main

import (
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// stdioConn makes a connection of stdin and stdout.
type stdioConn struct {
	in, out *os.File
	once    sync.Once
	closed  chan struct{}
}

func (c *stdioConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *stdioConn) Write(p []byte) (int, error) { return c.out.Write(p) }

func (c *stdioConn) Close() error {
	c.once.Do(func() {
		c.in.Close()
		c.out.Close()
		close(c.closed)
	})
	return nil
}

func (c *stdioConn) LocalAddr() net.Addr              { return stdioAddr{} }
func (c *stdioConn) RemoteAddr() net.Addr             { return stdioAddr{} }
func (c *stdioConn) SetDeadline(time.Time) error      { return nil }
func (c *stdioConn) SetReadDeadline(time.Time) error  { return nil }
func (c *stdioConn) SetWriteDeadline(time.Time) error { return nil }

type stdioAddr struct{}

func (stdioAddr) Network() string { return "stdio" }
func (stdioAddr) String() string  { return "stdio" }

// onceListener accepts one connection, and ends with it.
type onceListener struct {
	conn     *stdioConn
	accepted bool
}

func listenOnce(in, out *os.File) *onceListener {
	return &onceListener{conn: &stdioConn{in: in, out: out, closed: make(chan struct{})}}
}

func (l *onceListener) Accept() (net.Conn, error) {
	if !l.accepted {
		l.accepted = true
		return l.conn, nil
	}
	<-l.conn.closed
	return nil, io.EOF
}

func (l *onceListener) Close() error   { return l.conn.Close() }
func (l *onceListener) Addr() net.Addr { return stdioAddr{} }
