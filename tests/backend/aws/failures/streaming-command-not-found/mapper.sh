#!/bin/sh
jqq -r .shop
