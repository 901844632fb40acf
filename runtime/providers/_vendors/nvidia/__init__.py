"""What providers over NVIDIA's NeMo microservices share."""
