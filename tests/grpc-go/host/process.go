// Package host plays the part of plakar: it starts a connector as a child process and speaks gRPC with it over its
// stdin and stdout, with grpc-go and its defaults.
package host

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Options say how a connector is started and what it is told of the host. The zero value is what plakar does.
type Options struct {
	Stderr         io.Writer     // where the connector's stderr goes; nil: to our own
	ExitTimeout    time.Duration // how long to wait for the process to end before it is killed; 0: 10 seconds
	MaxConcurrency int           // told to importers and exporters; 0: 1
	Excludes       []string      // told to importers
	NoXattr        bool          // told to importers
}

// Process is a connector that runs.
type Process struct {
	Client *grpc.ClientConn

	command *exec.Cmd
	conn    *pipeConn
	timeout time.Duration
	ended   chan struct{} // closed when the process is gone
	waitErr error         // set before ended is closed

	endOnce sync.Once
	endErr  error
	peakRSS int64
}

// Start runs an executable with its arguments and connects to it. Nothing is sent before the first call.
func Start(command []string, options Options) (*Process, error) {
	if len(command) == 0 {
		return nil, errors.New("no connector was named")
	}
	childIn, ourOut, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	ourIn, childOut, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, childIn.Close(), ourOut.Close())
	}
	p := &Process{
		command: exec.Command(command[0], command[1:]...),
		conn:    &pipeConn{in: ourIn, out: ourOut},
		timeout: options.ExitTimeout,
		ended:   make(chan struct{}),
	}
	if p.timeout == 0 {
		p.timeout = 10 * time.Second
	}
	p.command.Stdin = childIn
	p.command.Stdout = childOut
	p.command.Stderr = os.Stderr
	if options.Stderr != nil {
		p.command.Stderr = options.Stderr
	}
	p.command.WaitDelay = p.timeout // for a grandchild that keeps stderr open
	err = p.command.Start()
	childIn.Close()
	childOut.Close()
	if err != nil {
		p.conn.Close()
		return nil, err
	}
	go func() {
		p.waitErr = p.command.Wait()
		close(p.ended)
	}()
	p.Client, err = grpc.NewClient("127.0.0.1:0",
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(dialOnce(p.conn)))
	if err != nil {
		return nil, errors.Join(err, p.End())
	}
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.command.Process.Pid }

// Ended is closed when the process is gone.
func (p *Process) Ended() <-chan struct{} { return p.ended }

// End closes the pipes without a word, as a host that just ends does, and waits for the process to be gone. A
// process that does not go is killed, and reported.
func (p *Process) End() error {
	p.endOnce.Do(func() { p.endErr = p.end() })
	return p.endErr
}

func (p *Process) end() error {
	p.peakRSS = readPeakRSS(p.PID())
	if p.Client != nil {
		p.Client.Close()
	}
	p.conn.Close()
	hangs := time.NewTimer(p.timeout)
	defer hangs.Stop()
	select {
	case <-p.ended:
	case <-hangs.C:
		p.command.Process.Kill()
		<-p.ended
		return fmt.Errorf("the connector still ran %v after the end of its stdin, and was killed", p.timeout)
	}
	if p.waitErr != nil {
		return fmt.Errorf("the connector ended badly: %w", p.waitErr)
	}
	return nil
}

// Kill ends the process at once, as a host's user may do.
func (p *Process) Kill() {
	p.command.Process.Kill()
	<-p.ended
}

// Signal sends a signal to the process.
func (p *Process) Signal(signal syscall.Signal) error { return p.command.Process.Signal(signal) }

// Usage is what a process took.
type Usage struct {
	CPU        time.Duration // user and system
	PeakRSSKiB int64
	WakeUps    int64 // of its threads, which had been waiting
}

// Usage tells what the process took; it has to have ended.
func (p *Process) Usage() Usage {
	<-p.ended
	state := p.command.ProcessState
	usage := Usage{CPU: state.UserTime() + state.SystemTime(), PeakRSSKiB: p.peakRSS}
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		usage.PeakRSSKiB = cmp.Or(usage.PeakRSSKiB, r.Maxrss)
		usage.WakeUps = r.Nvcsw
	}
	return usage
}

// readPeakRSS asks the kernel for the largest resident size so far, in KiB. The child's ru_maxrss will not do: a
// child starts in its parent's memory, and so never reports less than what the host itself had.
func readPeakRSS(pid int) int64 {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		return 0
	}
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		fields := bytes.Fields(lines.Bytes())
		if len(fields) == 3 && string(fields[0]) == "VmHWM:" {
			kib, _ := strconv.ParseInt(string(fields[1]), 10, 64)
			return kib
		}
	}
	return 0
}
