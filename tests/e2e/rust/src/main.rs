//! What a Rust program does with KelpMQ. Usage: program BEHAVIOUR ADDRESS QUEUE
use std::{collections::HashMap, env, error::Error, time::Duration};

use kelpmq_e2e::{
    consume_request, consume_response, consumer_spec, messaging_service_client::MessagingServiceClient,
    topology_service_client::TopologyServiceClient, value::Kind, AckRequest, ConsumeRequest, ConsumerSpec,
    Decimal, DeclareQueueRequest, GetRequest, Message, PublishRequest, Settle, SettleAction, SubscribeRequest,
    Table, Value, ValueArray,
};
use tonic::{transport::Channel, Code, Status};
use tonic_types::StatusExt;

const RETRY: Duration = Duration::from_millis(50);

/// The stubs of one broker, and one queue. The channel connects again by itself.
struct Client {
    messaging: MessagingServiceClient<Channel>,
    topology: TopologyServiceClient<Channel>,
    queue: String,
}

impl Client {
    fn new(address: &str, queue: &str) -> Result<Self, tonic::transport::Error> {
        let channel = Channel::from_shared(format!("http://{address}")).expect("an address").connect_lazy();
        Ok(Self {
            messaging: MessagingServiceClient::new(channel.clone()),
            topology: TopologyServiceClient::new(channel),
            queue: queue.to_owned(),
        })
    }

    async fn declare_queue(&mut self) -> Result<(), Status> {
        let request = DeclareQueueRequest { name: self.queue.clone(), ..Default::default() };
        self.topology.declare_queue(request).await.map(drop)
    }

    async fn publish(&mut self, message: Message) -> Result<(), Status> {
        let request = PublishRequest {
            routing_key: self.queue.clone(),
            message: Some(message),
            ..Default::default()
        };
        self.messaging.publish(request).await.map(drop)
    }

    async fn publish_text(&mut self, text: &str) -> Result<(), Status> {
        self.publish(Message { body: text.into(), ..Default::default() }).await
    }

    /// Acknowledges and prints the first `count` messages of the queue. Returns how many
    /// acknowledgements the broker counted.
    async fn consume(&mut self, mut count: usize) -> Result<u64, Status> {
        let source = Some(consumer_spec::Source::Queue(self.queue.clone()));
        let start = Some(ConsumerSpec { source, ..Default::default() });
        let request = SubscribeRequest { start, ..Default::default() };
        let mut responses = self.messaging.subscribe(request).await?.into_inner();
        let mut acknowledged = 0;
        while let Some(response) = responses.message().await? {
            for delivery in response.deliveries {
                let request = AckRequest {
                    lease_id: response.lease_id.clone(),
                    delivery_tags: vec![delivery.delivery_tag],
                    ..Default::default()
                };
                acknowledged += self.messaging.ack(request).await?.into_inner().settled_count;
                println!("{}", String::from_utf8_lossy(&delivery.message.unwrap_or_default().body));
                count -= 1;
                if count == 0 {
                    return Ok(acknowledged); // Dropping the stream ends it.
                }
            }
        }
        Err(Status::unavailable("the stream is over"))
    }

    async fn publish_subscribe_ack(&mut self) -> Result<(), Box<dyn Error>> {
        self.declare_queue().await?;
        for text in ["one", "two", "three"] {
            self.publish_text(text).await?;
        }
        println!("acknowledged {}", self.consume(3).await?);
        Ok(())
    }

    async fn typed_error(&mut self) -> Result<(), Box<dyn Error>> {
        let request = PublishRequest {
            exchange: self.queue.clone(),
            message: Some(Message::default()),
            ..Default::default()
        };
        let status = self.messaging.publish(request).await.err().ok_or("it was published")?;
        let info = status.get_details_error_info().ok_or("no ErrorInfo")?;
        if status.code() == Code::NotFound {
            println!("NOT_FOUND {} {}", info.reason, info.metadata["amqp_code"]);
        }
        Ok(())
    }

    async fn values(&mut self) -> Result<(), Box<dyn Error>> {
        let table = Table { fields: HashMap::from([("inner".into(), value(Kind::StringValue("deep".into())))]) };
        let array = ValueArray {
            values: vec![value(Kind::StringValue("one".into())), value(Kind::Int64Value(9007199254740993))],
        };
        let headers = [
            ("string", Kind::StringValue("héllo ✓".into())),
            ("int64", Kind::Int64Value(i64::MIN)),
            ("bool", Kind::BoolValue(true)),
            ("double", Kind::DoubleValue(0.1)),
            ("table", Kind::TableValue(table)),
            ("array", Kind::ArrayValue(array)),
            ("bytes", Kind::BytesValue(vec![0x00, 0xff, 0x10])),
            ("timestamp", Kind::TimestampValue(9007199254740993)),
            ("null", Kind::NullValue(prost_types::NullValue::NullValue.into())),
            ("int32", Kind::Int32Value(i32::MIN)),
            ("int16", Kind::Int16Value(i16::MIN.into())),
            ("int8", Kind::Int8Value(i8::MIN.into())),
            ("uint8", Kind::Uint8Value(u8::MAX.into())),
            ("uint16", Kind::Uint16Value(u16::MAX.into())),
            ("uint32", Kind::Uint32Value(u32::MAX)),
            ("float", Kind::FloatValue(0.1)),
            ("decimal", Kind::DecimalValue(Decimal { scale: 2, unscaled: 12345 })),
            ("raw_string", Kind::RawStringValue(vec![0xff, 0xfe])),
        ];
        let headers = headers.into_iter().map(|(name, kind)| (name.to_owned(), value(kind))).collect();
        self.declare_queue().await?;
        self.publish(Message { headers, ..Default::default() }).await?;

        let request = GetRequest { queue: self.queue.clone(), auto_ack: true, ..Default::default() };
        let deliveries = self.messaging.get(request).await?.into_inner().deliveries;
        let message = deliveries.into_iter().next().and_then(|d| d.message).ok_or("no message")?;
        println!("{} headers", message.headers.len());
        self.publish(message).await?;
        Ok(())
    }

    async fn tag64(&mut self) -> Result<(), Box<dyn Error>> {
        let settle = Settle {
            action: SettleAction::Ack.into(),
            delivery_tags: vec![9007199254740993, 18446744073709551613],
            request_id: u64::MAX,
            ..Default::default()
        };
        let request =
            ConsumeRequest { request: Some(consume_request::Request::Settle(settle)), ..Default::default() };
        let mut events = self.messaging.consume(tokio_stream::once(request)).await?.into_inner();
        while let Some(response) = events.message().await? {
            if let Some(consume_response::Event::Settled(settled)) = response.event {
                println!("request {}", settled.request_id);
                for failure in settled.failures {
                    let first = failure.tags.unwrap_or_default().first;
                    println!("{first} {}", failure.reason().as_str_name());
                }
            }
        }
        Ok(())
    }

    /// Declares, publishes one message and consumes: in life 1 until the broker goes away.
    async fn live(&mut self, life: usize) -> Result<u64, Status> {
        self.declare_queue().await?;
        self.publish_text(&format!("life {life}")).await?;
        self.consume(3 - life).await // One message comes: the first life waits on.
    }

    /// Stays with the queue while the broker goes and comes back with nothing in it.
    async fn restart(&mut self) -> Result<(), Box<dyn Error>> {
        let mut life = 1;
        while let Err(status) = self.live(life).await {
            // hyper tells a connection that broke off in several ways; only these are the broker's no.
            if status.get_details_error_info().is_some() {
                return Err(status.into());
            }
            life = 2;
            tokio::time::sleep(RETRY).await;
        }
        Ok(())
    }
}

fn value(kind: Kind) -> Value {
    Value { kind: Some(kind) }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let [_, behaviour, address, queue] = &env::args().collect::<Vec<_>>()[..] else {
        return Err("usage: program BEHAVIOUR ADDRESS QUEUE".into());
    };
    let mut client = Client::new(address, queue)?;
    match behaviour.as_str() {
        "publish_subscribe_ack" => client.publish_subscribe_ack().await,
        "typed_error" => client.typed_error().await,
        "values" => client.values().await,
        "tag64" => client.tag64().await,
        "restart" => client.restart().await,
        _ => Err(format!("no such behaviour: {behaviour}").into()),
    }
}
