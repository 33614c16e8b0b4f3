// collector is the part of the OpenTelemetry collector that its test needs: its receiver of OTLP
// over gRPC, and its JSON form of what came, a line in a file for each batch. The receiver is the
// collector's own; around it there is nothing that could change a span.
//
// Usage: collector FILE. It prints `listening on ADDRESS` when it is ready, and ends on SIGTERM.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
	"go.opentelemetry.io/collector/receiver"
	"go.opentelemetry.io/collector/receiver/otlpreceiver"
	metrics "go.opentelemetry.io/otel/metric/noop"
	traces "go.opentelemetry.io/otel/trace/noop"
	"go.uber.org/zap"
)

// host is a collector without extensions.
type host struct{}

func (host) GetExtensions() map[component.ID]component.Component { return nil }

// free gives an address that nobody listens on.
func free() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return listener.Addr().String(), listener.Close()
}

// into writes each batch of spans as a line.
func into(file *os.File) consumer.ConsumeTracesFunc {
	var lock sync.Mutex
	return func(_ context.Context, batch ptrace.Traces) error {
		line, err := (&ptrace.JSONMarshaler{}).MarshalTraces(batch)
		if err != nil {
			return err
		}
		lock.Lock()
		defer lock.Unlock()
		_, err = file.Write(append(line, '\n'))
		return err
	}
}

func start(ctx context.Context, address string, file *os.File) (receiver.Traces, error) {
	logger, err := zap.NewProduction(zap.IncreaseLevel(zap.WarnLevel))
	if err != nil {
		return nil, err
	}
	factory := otlpreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*otlpreceiver.Config)
	config.Protocols.GRPC.GetOrInsertDefault().NetAddr.Endpoint = address
	next, err := consumer.NewTraces(into(file))
	if err != nil {
		return nil, err
	}
	settings := receiver.Settings{
		ID: component.NewID(factory.Type()),
		TelemetrySettings: component.TelemetrySettings{
			Logger:         logger,
			MeterProvider:  metrics.NewMeterProvider(),
			TracerProvider: traces.NewTracerProvider(),
			Resource:       pcommon.NewResource(),
		},
	}
	spans, err := factory.CreateTraces(ctx, settings, config, next)
	if err != nil {
		return nil, err
	}
	return spans, spans.Start(ctx, host{})
}

func run(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	address, err := free()
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	spans, err := start(ctx, address, file)
	if err != nil {
		return err
	}
	fmt.Printf("listening on %s\n", address)
	<-ctx.Done()
	return spans.Shutdown(context.Background())
}

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: collector FILE")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
