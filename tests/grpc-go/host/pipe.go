package host

import (
	"context"
	"errors"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// pipeConn makes one connection of the two pipes.
type pipeConn struct {
	in   *os.File // what the connector writes
	out  *os.File // what the connector reads
	once sync.Once
	err  error
}

func (c *pipeConn) Read(p []byte) (int, error)  { return c.in.Read(p) }
func (c *pipeConn) Write(p []byte) (int, error) { return c.out.Write(p) }

func (c *pipeConn) Close() error {
	c.once.Do(func() { c.err = errors.Join(c.out.Close(), c.in.Close()) })
	return c.err
}

func (c *pipeConn) SetDeadline(t time.Time) error {
	return errors.Join(c.in.SetReadDeadline(t), c.out.SetWriteDeadline(t))
}
func (c *pipeConn) SetReadDeadline(t time.Time) error  { return c.in.SetReadDeadline(t) }
func (c *pipeConn) SetWriteDeadline(t time.Time) error { return c.out.SetWriteDeadline(t) }

func (c *pipeConn) LocalAddr() net.Addr  { return pipeAddr{} }
func (c *pipeConn) RemoteAddr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// dialOnce hands out the connection to the first who dials: there is one connection, ever.
func dialOnce(conn net.Conn) func(context.Context, string) (net.Conn, error) {
	var dialed atomic.Bool
	return func(context.Context, string) (net.Conn, error) {
		if dialed.Swap(true) {
			return nil, errors.New("the connector's connection has ended")
		}
		return conn, nil
	}
}
