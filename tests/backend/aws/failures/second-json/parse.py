#!/usr/bin/env python3
import json

json.loads('{"shop": ')
