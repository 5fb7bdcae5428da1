from kombu_emulator import Connection, Exchange, Queue, Producer

conn = Connection()
conn.connect()
channel = conn.channel()

# Create fanout exchange
exchange = channel.exchange_declare('notifications', type='fanout')

# Create multiple queues
email_queue = channel.queue_declare('email_notifications')
sms_queue = channel.queue_declare('sms_notifications')

# Bind all queues to exchange
channel.queue_bind('email_notifications', 'notifications')
channel.queue_bind('sms_notifications', 'notifications')

# Broadcast message to all queues
producer = Producer(channel, exchange=exchange)
producer.publish({'event': 'user_signup', 'user_id': 123})

# All bound queues receive the message
email_msg = channel.basic_get('email_notifications', no_ack=True)
sms_msg = channel.basic_get('sms_notifications', no_ack=True)
