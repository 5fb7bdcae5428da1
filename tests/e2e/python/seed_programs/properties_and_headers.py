from kombu_emulator import Connection, Message, Producer

conn = Connection()
conn.connect()
channel = conn.channel()

channel.queue_declare('priority_queue')

# Send message with headers and properties
message = Message(
    body={'data': 'important'},
    headers={'priority': 'high', 'source': 'api'},
    properties={'timestamp': '2024-01-01T00:00:00Z'}
)

channel.basic_publish(message, routing_key='priority_queue')

# Receive and inspect
received = channel.basic_get('priority_queue', no_ack=True)
print(f"Priority: {received.headers['priority']}")
print(f"Timestamp: {received.properties['timestamp']}")
