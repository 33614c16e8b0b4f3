// The user service in memory, on grpc-go: what the load generator is tried against.
//
// Usage: server FOLDER [CERT KEY], where FOLDER has user.proto. Prints `listening on ADDRESS`.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"os"

	"github.com/bufbuild/protocompile"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/reflection"
	v1 "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

const usersMax = 10_000

// What the four methods have in common: the types of the schema, known only at run time.
type users struct{ service protoreflect.ServiceDescriptor }

func (u users) method(name protoreflect.Name) protoreflect.MethodDescriptor {
	return u.service.Methods().ByName(name)
}

func field(message *dynamicpb.Message, name protoreflect.Name) protoreflect.FieldDescriptor {
	return message.Descriptor().Fields().ByName(name)
}

func number(message *dynamicpb.Message, name protoreflect.Name) int64 {
	return message.Get(field(message, name)).Int()
}

func (u users) find(id int64) (*dynamicpb.Message, error) {
	if id <= 0 {
		return nil, status.Errorf(codes.InvalidArgument, "id must be positive, not %d", id)
	}
	if id > usersMax {
		return nil, status.Errorf(codes.NotFound, "no user has id %d", id)
	}
	user := dynamicpb.NewMessage(u.method("GetUser").Output())
	user.Set(field(user, "id"), protoreflect.ValueOfInt32(int32(id)))
	user.Set(field(user, "name"), protoreflect.ValueOfString(fmt.Sprintf("User %d", id)))
	return user, nil
}

func (u users) getUser(decode func(any) error) (any, error) {
	request := dynamicpb.NewMessage(u.method("GetUser").Input())
	if err := decode(request); err != nil {
		return nil, err
	}
	return u.find(number(request, "id"))
}

func (u users) listUsers(stream grpc.ServerStream) error {
	request := dynamicpb.NewMessage(u.method("ListUsers").Input())
	if err := stream.RecvMsg(request); err != nil {
		return err
	}
	for id := range number(request, "page_size") {
		user, err := u.find(id + 1)
		if err != nil {
			return err
		}
		if err := stream.SendMsg(user); err != nil {
			return err
		}
	}
	return nil
}

func (u users) importUsers(stream grpc.ServerStream) error {
	for count := int32(0); ; count++ {
		err := stream.RecvMsg(dynamicpb.NewMessage(u.method("ImportUsers").Input()))
		if err == io.EOF {
			summary := dynamicpb.NewMessage(u.method("ImportUsers").Output())
			first := summary.Descriptor().Fields().Get(0)
			summary.Set(first, protoreflect.ValueOfInt32(count))
			return stream.SendMsg(summary)
		}
		if err != nil {
			return err
		}
	}
}

func (u users) lookup(stream grpc.ServerStream) error {
	for {
		request := dynamicpb.NewMessage(u.method("Lookup").Input())
		if err := stream.RecvMsg(request); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		user, err := u.find(number(request, "id"))
		if err != nil {
			return err
		}
		if err := stream.SendMsg(user); err != nil {
			return err
		}
	}
}

func (u users) describe() *grpc.ServiceDesc {
	unary := func(_ any, _ context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
		return u.getUser(decode)
	}
	stream := func(handle func(grpc.ServerStream) error) grpc.StreamHandler {
		return func(_ any, stream grpc.ServerStream) error { return handle(stream) }
	}
	return &grpc.ServiceDesc{
		ServiceName: string(u.service.FullName()),
		HandlerType: (*any)(nil),
		Methods:     []grpc.MethodDesc{{MethodName: "GetUser", Handler: unary}},
		Streams: []grpc.StreamDesc{
			{StreamName: "ListUsers", Handler: stream(u.listUsers), ServerStreams: true},
			{StreamName: "ImportUsers", Handler: stream(u.importUsers), ClientStreams: true},
			{StreamName: "Lookup", Handler: stream(u.lookup), ServerStreams: true, ClientStreams: true},
		},
	}
}

func main() {
	source := &protocompile.SourceResolver{ImportPaths: []string{os.Args[1]}}
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(source)}
	files, err := compiler.Compile(context.Background(), "user.proto")
	if err != nil {
		log.Fatal(err)
	}
	var options []grpc.ServerOption
	if len(os.Args) > 3 {
		identity, err := credentials.NewServerTLSFromFile(os.Args[2], os.Args[3])
		if err != nil {
			log.Fatal(err)
		}
		options = append(options, grpc.Creds(identity))
	}
	server := grpc.NewServer(options...)
	service := files[0].Services().ByName("UserService")
	server.RegisterService(users{service}.describe(), nil)
	told := reflection.ServerOptions{Services: server, DescriptorResolver: files.AsResolver()}
	v1.RegisterServerReflectionServer(server, reflection.NewServerV1(told))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on %s\n", listener.Addr())
	log.Fatal(server.Serve(listener))
}
