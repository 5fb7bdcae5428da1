// What a Go program does with KelpMQ. Usage: program BEHAVIOUR ADDRESS QUEUE
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	pb "example.com/app/kelpmqv1"
)

const callTimeout = 30 * time.Second

// client calls one broker. Its unary calls wait for the broker if it is away.
type client struct {
	messaging pb.MessagingServiceClient
	topology  pb.TopologyServiceClient
}

func connect(address string) (*client, error) {
	conn, err := grpc.Dial(address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	if err != nil {
		return nil, err
	}
	return &client{pb.NewMessagingServiceClient(conn), pb.NewTopologyServiceClient(conn)}, nil
}

func (c *client) declare(ctx context.Context, queue string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.topology.DeclareQueue(ctx, &pb.DeclareQueueRequest{Name: queue})
	return err
}

func (c *client) publish(ctx context.Context, queue string, message *pb.Message) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.messaging.Publish(ctx, &pb.PublishRequest{RoutingKey: queue, Message: message})
	return err
}

func (c *client) ack(ctx context.Context, lease string, tag uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := c.messaging.Ack(ctx, &pb.AckRequest{LeaseId: lease, DeliveryTags: []uint64{tag}})
	return reply.GetSettledCount(), err
}

// consume hands the first `count` messages of the queue to `handle` and acknowledges them. It
// returns how many acknowledgements the broker counted.
func (c *client) consume(ctx context.Context, queue string, count int, handle func(*pb.Message)) (uint64, error) {
	ctx, cancel := context.WithCancel(ctx) // The stream ends with this function.
	defer cancel()
	stream, err := c.messaging.Subscribe(ctx, &pb.SubscribeRequest{
		Start: &pb.ConsumerSpec{Source: &pb.ConsumerSpec_Queue{Queue: queue}},
	})
	if err != nil {
		return 0, err
	}
	var acknowledged uint64
	for {
		response, err := stream.Recv()
		if err != nil {
			return acknowledged, err
		}
		for _, delivery := range response.Deliveries {
			settled, err := c.ack(ctx, response.LeaseId, delivery.DeliveryTag)
			acknowledged += settled
			if err != nil {
				return acknowledged, err
			}
			handle(delivery.Message)
			if count--; count == 0 {
				return acknowledged, nil
			}
		}
	}
}

func printBody(message *pb.Message) { fmt.Println(string(message.Body)) }

func publishSubscribeAck(ctx context.Context, c *client, queue string) error {
	if err := c.declare(ctx, queue); err != nil {
		return err
	}
	for _, text := range []string{"one", "two", "three"} {
		if err := c.publish(ctx, queue, &pb.Message{Body: []byte(text)}); err != nil {
			return err
		}
	}
	acknowledged, err := c.consume(ctx, queue, 3, printBody)
	fmt.Println("acknowledged", acknowledged)
	return err
}

func typedError(ctx context.Context, c *client, exchange string) error {
	_, err := c.messaging.Publish(ctx, &pb.PublishRequest{Exchange: exchange, Message: &pb.Message{}})
	failure := status.Convert(err)
	for _, detail := range failure.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok && failure.Code() == codes.NotFound {
			fmt.Println("NOT_FOUND", info.Reason, info.Metadata["amqp_code"])
		}
	}
	return nil
}

func values(ctx context.Context, c *client, queue string) error {
	headers := map[string]*pb.Value{
		"string": {Kind: &pb.Value_StringValue{StringValue: "héllo ✓"}},
		"int64":  {Kind: &pb.Value_Int64Value{Int64Value: -9223372036854775808}},
		"bool":   {Kind: &pb.Value_BoolValue{BoolValue: true}},
		"double": {Kind: &pb.Value_DoubleValue{DoubleValue: 0.1}},
		"table": {Kind: &pb.Value_TableValue{TableValue: &pb.Table{Fields: map[string]*pb.Value{
			"inner": {Kind: &pb.Value_StringValue{StringValue: "deep"}},
		}}}},
		"array": {Kind: &pb.Value_ArrayValue{ArrayValue: &pb.ValueArray{Values: []*pb.Value{
			{Kind: &pb.Value_StringValue{StringValue: "one"}},
			{Kind: &pb.Value_Int64Value{Int64Value: 9007199254740993}},
		}}}},
		"bytes":      {Kind: &pb.Value_BytesValue{BytesValue: []byte{0x00, 0xff, 0x10}}},
		"timestamp":  {Kind: &pb.Value_TimestampValue{TimestampValue: 9007199254740993}},
		"null":       {Kind: &pb.Value_NullValue{}},
		"int32":      {Kind: &pb.Value_Int32Value{Int32Value: -2147483648}},
		"int16":      {Kind: &pb.Value_Int16Value{Int16Value: -32768}},
		"int8":       {Kind: &pb.Value_Int8Value{Int8Value: -128}},
		"uint8":      {Kind: &pb.Value_Uint8Value{Uint8Value: 255}},
		"uint16":     {Kind: &pb.Value_Uint16Value{Uint16Value: 65535}},
		"uint32":     {Kind: &pb.Value_Uint32Value{Uint32Value: 4294967295}},
		"float":      {Kind: &pb.Value_FloatValue{FloatValue: 0.1}},
		"decimal":    {Kind: &pb.Value_DecimalValue{DecimalValue: &pb.Decimal{Scale: 2, Unscaled: 12345}}},
		"raw_string": {Kind: &pb.Value_RawStringValue{RawStringValue: []byte{0xff, 0xfe}}},
	}
	if err := c.declare(ctx, queue); err != nil {
		return err
	}
	if err := c.publish(ctx, queue, &pb.Message{Headers: headers}); err != nil {
		return err
	}
	response, err := c.messaging.Get(ctx, &pb.GetRequest{Queue: queue, AutoAck: true})
	if err != nil {
		return err
	}
	message := response.Deliveries[0].Message
	fmt.Println(len(message.Headers), "headers")
	return c.publish(ctx, queue, message)
}

func tag64(ctx context.Context, c *client, _ string) error {
	channel, err := c.messaging.Consume(ctx)
	if err != nil {
		return err
	}
	settle := &pb.Settle{
		Action:       pb.SettleAction_SETTLE_ACTION_ACK,
		DeliveryTags: []uint64{9007199254740993, 18446744073709551613},
		RequestId:    18446744073709551615,
	}
	if err := channel.Send(&pb.ConsumeRequest{Request: &pb.ConsumeRequest_Settle{Settle: settle}}); err != nil {
		return err
	}
	for {
		response, err := channel.Recv()
		if err != nil {
			return err
		}
		if settled := response.GetSettled(); settled != nil {
			fmt.Println("request", settled.RequestId)
			for _, failure := range settled.Failures {
				fmt.Println(failure.Tags.First, failure.Reason)
			}
			return channel.CloseSend()
		}
	}
}

// restart stays with the queue while the broker goes and comes back with nothing in it.
func restart(ctx context.Context, c *client, queue string) error {
	for life := 1; ; life = 2 {
		err := live(ctx, c, queue, life)
		if status.Code(err) != codes.Unavailable {
			return err
		}
	}
}

// live declares, publishes one message and consumes: in life 1 until the broker goes away.
func live(ctx context.Context, c *client, queue string, life int) error {
	if err := c.declare(ctx, queue); err != nil {
		return err
	}
	body := fmt.Sprintf("life %d", life)
	if err := c.publish(ctx, queue, &pb.Message{Body: []byte(body)}); err != nil {
		return err
	}
	_, err := c.consume(ctx, queue, 3-life, printBody) // One message comes: the first life waits on.
	return err
}

func main() {
	behaviours := map[string]func(context.Context, *client, string) error{
		"publish_subscribe_ack": publishSubscribeAck,
		"typed_error":           typedError,
		"values":                values,
		"tag64":                 tag64,
		"restart":               restart,
	}
	c, err := connect(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	if err := behaviours[os.Args[1]](context.Background(), c, os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
