"""From item texts and what users did to ranked lists."""
