from kombu_emulator import Connection, Producer

with Connection() as conn:
    channel = conn.channel()
    queue = channel.queue_declare('temp_queue')
    
    producer = Producer(channel, routing_key='temp_queue')
    producer.publish('Temporary message')
    
# Connection automatically closed
