from kombu_emulator import Connection, Queue, Consumer
import time

conn = Connection()
conn.connect()
channel = conn.channel()

queue = channel.queue_declare('work_queue')

# Define callback
def process_message(message):
    print(f"Processing: {message.body}")
    # Do work here
    message.ack()

# Start consuming
consumer = Consumer(
    channel, 
    queues=[queue], 
    callbacks=[process_message],
    no_ack=False
)
consumer.consume()

# Keep running
try:
    while True:
        time.sleep(1)
except KeyboardInterrupt:
    conn.disconnect()
