"""The only room that speaks AMQP, or whatever a broker speaks."""
