"""Reading what R wrote, without R: its serialised objects, the files of R's torch and luz, the losses in them."""
