"""What asyncio lacks: fair waiting, one timer for many deadlines, results delivered at once."""
