"""One adapter behind every vendor that speaks OpenAI's protocol; the vendors are files of data beside this folder."""
