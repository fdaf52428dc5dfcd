#!/bin/bash
echo counted
