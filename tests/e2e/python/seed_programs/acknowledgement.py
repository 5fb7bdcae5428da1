from kombu_emulator import Connection, Producer

conn = Connection()
conn.connect()
channel = conn.channel()

# Declare queue
channel.queue_declare('tasks')

# Publish message
producer = Producer(channel, routing_key='tasks')
producer.publish({'task': 'process_data', 'data_id': 456})

# Get message without auto-ack
message = channel.basic_get('tasks', no_ack=False)

if message:
    try:
        # Process message
        process_task(message.body)
        
        # Acknowledge successful processing
        message.ack()
    except Exception as e:
        # Reject and requeue on failure
        message.reject(requeue=True)
