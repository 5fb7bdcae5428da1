from kombu_emulator import Connection, Exchange, Queue, Producer

conn = Connection()
conn.connect()
channel = conn.channel()

# Declare exchange and queues
exchange = channel.exchange_declare('logs', type='direct')
queue = channel.queue_declare('error_logs')

# Bind queue to exchange with routing key
channel.queue_bind('error_logs', 'logs', routing_key='error')

# Publish to exchange
producer = Producer(channel, exchange=exchange)
producer.publish({'level': 'error', 'message': 'Something went wrong'}, 
                 routing_key='error')

# Consume messages
message = channel.basic_get('error_logs', no_ack=True)
if message:
    print(f"Error log: {message.body}")
