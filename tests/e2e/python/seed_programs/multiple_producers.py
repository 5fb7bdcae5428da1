from kombu_emulator import Connection, Producer, Consumer, Queue
import threading

conn = Connection()
conn.connect()
channel = conn.channel()

queue = channel.queue_declare('shared_queue')

# Multiple producers
def producer_task(producer_id):
    producer = Producer(channel, routing_key='shared_queue')
    for i in range(5):
        producer.publish(f'Message from producer {producer_id}: {i}')

# Start producers in threads
threads = []
for i in range(3):
    t = threading.Thread(target=producer_task, args=(i,))
    t.start()
    threads.append(t)

# Wait for producers
for t in threads:
    t.join()

# Consumer processes all messages
messages_received = []
def callback(msg):
    messages_received.append(msg.body)
    msg.ack()

consumer = Consumer(channel, queues=[queue], callbacks=[callback])
consumer.consume()

# Wait for processing
time.sleep(2)
print(f"Received {len(messages_received)} messages")
