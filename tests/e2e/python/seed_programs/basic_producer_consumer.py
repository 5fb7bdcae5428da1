from kombu_emulator import Connection, Producer, Consumer, Queue

# Create connection and channel
conn = Connection()
conn.connect()
channel = conn.channel()

# Declare a queue
queue = channel.queue_declare('my_queue')

# Producer - Send messages
producer = Producer(channel, routing_key='my_queue')
producer.publish({'message': 'Hello, World!'})

# Consumer - Receive messages
def callback(message):
    print(f"Received: {message.body}")
    message.ack()

consumer = Consumer(channel, queues=[queue], callbacks=[callback])
consumer.consume()
